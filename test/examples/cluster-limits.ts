import { createCluster } from "@redis/client";
import { scriptRunner, SharedLimits, type SharedOptions } from "../../adapters/limits/redis/index.ts";

/** `name`: another one for each process. */
export const clusterLimits = async (
  urls: readonly string[],
  options: Omit<SharedOptions, "link">,
): Promise<SharedLimits> => {
  const cluster = createCluster({ rootNodes: urls.map((url) => ({ url })) });
  // what is wrong is told to `onChange`
  cluster.on("error", () => undefined);
  await cluster.connect();
  const run = scriptRunner((key, words) => cluster.sendCommand(key, false, [...words]));
  return new SharedLimits({ ...options, link: { run, close: () => cluster.destroy() } });
};
