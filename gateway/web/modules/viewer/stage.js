// What is drawn: scans, marks, a cut, two points and the line between them. It is drawn when
// something changed, and not otherwise.

import {
  AmbientLight,
  BufferGeometry,
  DirectionalLight,
  Line,
  LineBasicMaterial,
  Plane,
  Raycaster,
  Scene,
  Sphere,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { Body, COLOURS, dots } from "./body.js";
import { Eye } from "./eye.js";
import { facing, head, turned } from "./views.js";

const NEAR_MM = 8; // half the height of the picture that shows a place
const POINT_PX = 12;
const CHOSEN_PX = 22;
const MOST_PIXELS = 2; // to a pixel of the page
const CUTS = { across: "left", along: "front", level: "up" };
const FIRST = { lower: 0, upper: 1 };

export class Stage {
  /** Throws where there is no WebGL. `lost()`: the graphics card gave up. */
  constructor(canvas, lost) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, MOST_PIXELS));
    this.eye = new Eye();
    this.scene = new Scene();
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(-0.4, 0.45, 0.8);
    this.eye.camera.add(sun, sun.target);
    this.scene.add(this.eye.camera, new AmbientLight(0xffffff, 0.9));
    this.bodies = new Map();
    this.points = [];
    this.drawn = [];
    this.chosen = null;
    this.plane = null;
    this.moved = false;
    canvas.addEventListener("webglcontextlost", lost);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(canvas.parentElement);
  }

  add(id, made, report, jaw) {
    const body = new Body(made, report, this.bodies.size);
    this.bodies.set(id, Object.assign(body, { jaw, sides: made.sides }));
    this.scene.add(body.group);
    if (!this.moved) {
      this.view(this.firstView());
    }
    this.cut(null);
  }

  remove(id) {
    const body = this.bodies.get(id);
    if (body) {
      this.bodies.delete(id);
      this.scene.remove(body.group);
      body.dispose();
      this.draw();
    }
  }

  show(id, isShown) {
    this.bodies.get(id).group.visible = isShown;
    this.draw();
  }

  /** The axes by which one speaks of above and left: those of a lower jaw before an upper one's. */
  get axes() {
    const order = [...this.bodies.values()].sort((a, b) => (FIRST[a.jaw] ?? 2) - (FIRST[b.jaw] ?? 2));
    return order.length ? head(order[0].pose, order[0].jaw) : head({ up: [0, 0, 1], front: [0, 1, 0] });
  }

  firstView() {
    const jaws = [...this.bodies.values()].map((body) => body.jaw);
    return jaws.length > 1 ? "front" : jaws[0] === "upper" ? "below" : "above";
  }

  /** Look at everything that is shown, from a standard side. */
  view(name) {
    this.eye.camera.quaternion.copy(turned(this.axes, name));
    this.fit([...this.bodies.values()].filter((body) => body.group.visible));
    this.draw();
  }

  fit(bodies) {
    const around = bodies.reduce((all, body) => all.union(body.sphere), new Sphere().makeEmpty());
    if (bodies.length) {
      this.eye.fit(bodies.flatMap((body) => body.corners), around.radius);
    }
  }

  /** Come near to a place of a scan, and mark it as the one that is meant. */
  visit(id, place, side) {
    const body = this.bodies.get(id);
    const { up, front } = this.axes;
    const from = side ? new Vector3(...side) : up.clone().multiplyScalar(body.jaw === "upper" ? -1 : 1);
    // From above or below, the front is up in the picture; else the crown is.
    const isLevel = Math.abs(from.dot(up)) < 0.7;
    this.eye.camera.quaternion.copy(facing(from, isLevel ? up : front));
    this.fit([...this.bodies.values()]);
    this.eye.target.set(...place);
    this.eye.half = NEAR_MM;
    this.moved = true;
    this.choose([place]);
    this.draw();
  }

  choose(places) {
    this.swap("chosen", places.length ? dots(places, COLOURS.chosen, CHOSEN_PX) : null);
  }

  marks(isShown) {
    for (const body of this.bodies.values()) {
      body.marks.visible = isShown;
    }
    if (this.chosen) {
      this.chosen.visible = isShown;
    }
    this.draw();
  }

  /** Cut away one side: `by` an axis (null: nothing), `at` from 0 to 1 through what there is. */
  cut(by, at = 0.5, isTurned = false) {
    this.plane = null;
    if (by !== null) {
      const normal = this.axes[CUTS[by]].clone().normalize();
      let [low, high] = [Infinity, -Infinity];
      for (const { sphere } of this.bodies.values()) {
        const middle = sphere.center.dot(normal);
        [low, high] = [Math.min(low, middle - sphere.radius), Math.max(high, middle + sphere.radius)];
      }
      const where = low + at * (high - low);
      this.plane = isTurned ? new Plane(normal, -where) : new Plane(normal.negate(), where);
    }
    this.renderer.clippingPlanes = this.plane ? [this.plane] : [];
    this.draw();
  }

  /** The place of the surface at a part of the picture (from its upper left); null: beside it. */
  touched(x, y) {
    this.eye.place();
    const ray = new Raycaster();
    ray.setFromCamera(new Vector2(2 * x - 1, 1 - 2 * y), this.eye.camera);
    const meshes = [...this.bodies.values()].filter((body) => body.group.visible).map((body) => body.mesh);
    const hits = ray.intersectObjects(meshes, false);
    return hits.find(({ point }) => !this.plane || this.plane.distanceToPoint(point) >= 0)?.point ?? null;
  }

  /** Set a point to measure from or to. Gives the distance in mm once there are two, else null. */
  measure(point) {
    this.points = this.points.length === 2 ? [point] : [...this.points, point];
    this.line();
    return this.points.length === 2 ? this.points[0].distanceTo(this.points[1]) : null;
  }

  forget() {
    this.points = [];
    this.line();
  }

  line() {
    const places = this.points.map((point) => point.toArray());
    this.swap("ends", places.length ? dots(places, COLOURS.base, POINT_PX) : null);
    let made = null;
    if (places.length === 2) {
      const material = new LineBasicMaterial({ color: COLOURS.base, depthTest: false, transparent: true });
      made = new Line(new BufferGeometry().setFromPoints(this.points), material);
      made.renderOrder = 2;
    }
    this.swap("between", made);
    this.draw();
  }

  /** Put another thing of this name into the picture. */
  swap(name, made) {
    const before = this[name];
    if (before) {
      this.scene.remove(before);
      before.geometry.dispose();
      before.material.map?.dispose();
      before.material.dispose();
    }
    this[name] = made;
    if (made) {
      this.scene.add(made);
    }
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    if (clientWidth && clientHeight) {
      this.renderer.setSize(clientWidth, clientHeight, false);
      this.eye.aspect = clientWidth / clientHeight;
      if (!this.moved && this.bodies.size) {
        this.view(this.firstView());
      }
      this.draw();
    }
  }

  /** Draw before the next picture of the page, however often it is asked for. */
  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.eye.place();
      this.renderer.render(this.scene, this.eye.camera);
    });
  }

  dispose() {
    cancelAnimationFrame(this.waiting);
    this.watch.disconnect();
    for (const id of [...this.bodies.keys()]) {
      this.remove(id);
    }
    cancelAnimationFrame(this.waiting);
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}
