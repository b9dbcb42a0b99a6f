import { test } from "vitest";
import { flowStoreSuite } from "../../adapters/conformance/index.ts";
import { openMyFlows } from "./my-flows.ts";

flowStoreSuite(test, { open: () => openMyFlows() });
