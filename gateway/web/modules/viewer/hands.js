// Mouse, touch and keys on the picture. None of them does what no button does.

const CLICK_PX = 4;
const TURN = Math.PI / 12;
const MOVE = 0.1;
const ZOOM = 1.25;

/** What keys and buttons do to the eye, by name. */
export const ACTS = {
  "turn-left": (eye) => eye.turn(TURN, 0),
  "turn-right": (eye) => eye.turn(-TURN, 0),
  "turn-up": (eye) => eye.turn(0, TURN),
  "turn-down": (eye) => eye.turn(0, -TURN),
  "move-left": (eye) => eye.move(-MOVE, 0),
  "move-right": (eye) => eye.move(MOVE, 0),
  "move-up": (eye) => eye.move(0, -MOVE),
  "move-down": (eye) => eye.move(0, MOVE),
  closer: (eye) => eye.zoom(ZOOM),
  back: (eye) => eye.zoom(1 / ZOOM),
};
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const SIGNS = { "+": "closer", "=": "closer", "-": "back" };

/** Let hands move the eye over `canvas`; `changed()` after each move, `pressed(x, y)` where somebody
 * pressed without moving (parts of the picture, from its upper left), `entered()` for Enter. */
export function hands(canvas, eye, { changed, pressed, entered }) {
  const down = new Map();
  let moved = 0;

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moved = down.size === 0 ? 0 : Infinity;
    down.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) {
      return;
    }
    const before = spread(down);
    const [x, y] = down.get(event.pointerId);
    down.set(event.pointerId, [event.clientX, event.clientY]);
    moved += Math.hypot(event.clientX - x, event.clientY - y);
    const { height } = canvas.getBoundingClientRect();
    if (down.size > 1) {
      const after = spread(down);
      eye.move((after.x - before.x) / height, (after.y - before.y) / height);
      eye.zoom(after.width / before.width || 1);
    } else if (event.shiftKey || event.buttons > 1) {
      eye.move((event.clientX - x) / height, (event.clientY - y) / height);
    } else {
      eye.turn((Math.PI * (event.clientX - x)) / height, (Math.PI * (event.clientY - y)) / height);
    }
    changed();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (down.delete(event.pointerId) && moved < CLICK_PX) {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      pressed((event.clientX - left) / width, (event.clientY - top) / height);
    }
  });
  canvas.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    // Whoever scrolls the page is not held up by a picture on the way.
    if (document.activeElement === canvas || event.ctrlKey) {
      event.preventDefault();
      eye.zoom(Math.exp(-event.deltaY / 500));
      changed();
    }
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const direction = KEYS[event.key];
    const act = direction ? `${event.shiftKey ? "move" : "turn"}-${direction}` : SIGNS[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    if (act) {
      ACTS[act](eye);
      changed();
    } else if (event.key === "Enter") {
      entered();
    } else {
      return;
    }
    event.preventDefault();
  });
}

/** The middle of all fingers, and how far the first two are apart. */
function spread(down) {
  const all = [...down.values()];
  const x = all.reduce((sum, each) => sum + each[0], 0) / all.length;
  const y = all.reduce((sum, each) => sum + each[1], 0) / all.length;
  const width = all.length > 1 ? Math.hypot(all[0][0] - all[1][0], all[0][1] - all[1][1]) : 1;
  return { x, y, width: Math.max(width, 1) };
}
