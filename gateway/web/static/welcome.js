// An invitation: its secret becomes an account with a password.

import { once } from "./api.js";
import { fragment } from "./fragment.js";

fragment(({ secret, password, name }) =>
  once("POST", "/invitations", { secret, password, ...(name && { name }) }),
);
