// The protected server of tools.mjs as a program, for clients in other languages. TOOLS_URL, DOORWARD_URL.

import { serveTools } from "./tools.mjs";

await serveTools(process.env.TOOLS_URL, process.env.DOORWARD_URL);
console.log("ready");
