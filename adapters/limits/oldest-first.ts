// A table whose entries stand in the order in which they came. A Map keeps the places of what was deleted, so that its first
// entry is found the later the larger it is; here that takes the same time however many entries there are.

/** One entry, which leads to the next one. */
export type Entry<Value> = { readonly key: string; readonly value: Value; readonly next: Entry<Value> | undefined };

type Link<Value> = {
  readonly key: string;
  value: Value;
  previous: Link<Value> | undefined;
  next: Link<Value> | undefined;
};

export class OldestFirst<Value> {
  readonly #links = new Map<string, Link<Value>>();
  #first: Link<Value> | undefined;
  #last: Link<Value> | undefined;

  constructor(entries: Iterable<readonly [string, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#links.size;
  }

  get first(): Entry<Value> | undefined {
    return this.#first;
  }

  get last(): Entry<Value> | undefined {
    return this.#last;
  }

  get(key: string): Value | undefined {
    return this.#links.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#links.has(key);
  }

  /** An entry that is there keeps its place; a new one goes to the end. */
  set(key: string, value: Value): void {
    const link = this.#links.get(key);
    if (link !== undefined) link.value = value;
    else this.#add({ key, value, previous: this.#last, next: undefined });
  }

  /** The entry goes to the end, whether it was there or not. */
  append(key: string, value: Value): void {
    this.delete(key);
    this.set(key, value);
  }

  delete(key: string): boolean {
    const link = this.#links.get(key);
    if (link === undefined) return false;
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
    return this.#links.delete(key);
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (let link = this.#first; link !== undefined; link = link.next) yield [link.key, link.value];
  }

  #add(link: Link<Value>): void {
    if (link.previous === undefined) this.#first = link;
    else link.previous.next = link;
    this.#last = link;
    this.#links.set(link.key, link);
  }
}
