// A link to another password.

import { once } from "./api.js";
import { fragment } from "./fragment.js";

fragment(({ secret, password }) => once("POST", "/password/resets", { secret, password }));
