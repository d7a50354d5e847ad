// The camera: without perspective, so that what is equally long looks so.

import { OrthographicCamera, Quaternion, Vector3 } from "three";

const ROOM = 1.1; // around what is fitted
const CLOSEST_MM = 1; // half the height of the picture
const X = new Vector3(1, 0, 0);
const Y = new Vector3(0, 1, 0);

export class Eye {
  constructor() {
    this.camera = new OrthographicCamera();
    this.target = new Vector3();
    this.half = 40; // mm from the middle to the upper edge
    this.radius = 40; // of everything
    this.aspect = 1;
  }

  /** See these corners whole, as the camera is turned now; `radius` is that of everything. */
  fit(corners, radius) {
    const back = this.camera.quaternion.clone().invert();
    const seen = corners.map((corner) => corner.clone().applyQuaternion(back));
    const [low, high] = [seen[0].clone(), seen[0].clone()];
    for (const corner of seen) {
      low.min(corner);
      high.max(corner);
    }
    this.target.copy(low).add(high).multiplyScalar(0.5).applyQuaternion(this.camera.quaternion);
    this.radius = Math.max(radius, CLOSEST_MM);
    const size = high.sub(low);
    this.half = Math.max((ROOM / 2) * Math.max(size.y, size.x / this.aspect), CLOSEST_MM);
  }

  /** Turn by angles of the picture, as a hand turns a ball. */
  turn(right, down) {
    const by = new Quaternion().setFromAxisAngle(Y, -right).multiply(new Quaternion().setFromAxisAngle(X, -down));
    this.camera.quaternion.multiply(by).normalize();
  }

  /** Move what is seen, by parts of the picture's height. */
  move(right, down) {
    const across = X.clone().applyQuaternion(this.camera.quaternion);
    const above = Y.clone().applyQuaternion(this.camera.quaternion);
    this.target.addScaledVector(across, -2 * this.half * right).addScaledVector(above, 2 * this.half * down);
  }

  /** Come closer (above 1) or go back. */
  zoom(by) {
    this.half = Math.min(Math.max(this.half / by, CLOSEST_MM), 20 * this.radius);
  }

  /** Put the camera where this says. */
  place() {
    const { camera, half, aspect, radius } = this;
    const away = 4 * radius + this.target.length();
    Object.assign(camera, { top: half, bottom: -half, left: -half * aspect, right: half * aspect, near: 0, far: 2 * away });
    camera.position.set(0, 0, away).applyQuaternion(camera.quaternion).add(this.target);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }
}
