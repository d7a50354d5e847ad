// The way in: on to the first page of whoever is signed in.

import { begin } from "./frame.js";
import { home } from "./next.js";

await begin((session) => location.replace(home(session)));
