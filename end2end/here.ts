// The folder that this file is in. `import.meta.dirname` is not known to the Node.js of Debian 12.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = path.dirname(fileURLToPath(import.meta.url));
