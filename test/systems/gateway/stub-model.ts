// A model on loopback that speaks OpenAI's protocol: it notes what it is asked and answers when the test says so.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One call of the model, as the Gateway made it. */
export type ModelCall = {
  readonly model: string;
  readonly tools: readonly string[];
  /** The texts of the messages, in their order. */
  readonly texts: readonly string[];
  /** Images that the Gateway has put beside the texts. */
  readonly images: number;
  isAborted: boolean;
};

/** A text, or the use of a tool. */
export type Said = string | { readonly tool: string; readonly parameters: object };

type Body = {
  readonly model: string;
  readonly stream?: boolean;
  readonly tools?: readonly { readonly function?: { readonly name?: string } }[];
  readonly messages: readonly { readonly content: unknown }[];
};

const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? content.map((part: { text?: string }) => part.text ?? "").join("")
      : "";

const imagesIn = (content: unknown): number =>
  Array.isArray(content) ? content.filter(({ type }: { type?: string }) => type === "image_url").length : 0;

const read = async (request: IncomingMessage): Promise<string> => {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
};

export class StubModel {
  readonly calls: ModelCall[] = [];
  /** What the model says; a promise keeps the call open. */
  answer: (call: ModelCall) => Said | Promise<Said> = () => "Reviewed.";
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** For the Gateway's configuration. */
  get config(): { readonly models: object; readonly agents: object } {
    const { port } = this.#server.address() as AddressInfo;
    const provider = {
      baseUrl: `http://127.0.0.1:${String(port)}/v1`,
      apiKey: "stub",
      api: "openai-completions",
      models: [
        { id: "fix", name: "fix", input: ["text", "image"] },
        { id: "other", name: "other" },
      ],
    };
    return {
      models: { catalogRefresh: { enabled: false }, providers: { stub: provider } },
      agents: { defaults: { model: { primary: "stub/fix" } } },
    };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await read(request)) as Body;
    const call: ModelCall = {
      model: body.model,
      tools: (body.tools ?? []).map((tool) => tool.function?.name ?? ""),
      texts: body.messages.map(({ content }) => textOf(content)),
      images: body.messages.reduce((sum, { content }) => sum + imagesIn(content), 0),
      isAborted: false,
    };
    response.on("close", () => (call.isAborted = !response.writableFinished));
    this.calls.push(call);
    const said = await this.answer(call);
    if (response.destroyed) return;
    const base = { id: "c", created: 0, model: body.model };
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const isText = typeof said === "string";
    const use = isText ? undefined : { name: said.tool, arguments: JSON.stringify(said.parameters) };
    const message = isText
      ? { role: "assistant", content: said }
      : {
          role: "assistant",
          content: null,
          tool_calls: [{ index: 0, id: `call_${String(this.calls.length)}`, type: "function", function: use }],
        };
    const finish = isText ? "stop" : "tool_calls";
    if (body.stream !== true) {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          ...base,
          object: "chat.completion",
          usage,
          choices: [{ index: 0, message, finish_reason: finish }],
        }),
      );
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    const chunk = (delta: object, end: string | null, more: object = {}): void =>
      void response.write(
        `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: end }], ...more })}\n\n`,
      );
    chunk(message, null);
    chunk({}, finish, { usage });
    response.end("data: [DONE]\n\n");
  }
}
