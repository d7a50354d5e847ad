// From where one looks: the standard views, in the axes of the head as far as scans tell them.

import { Matrix4, Quaternion, Vector3 } from "three";

/** The axes of a head: `up` to the crown, `front` to the nose, `left` to the patient's left hand.
 * A scan tells where its teeth point: of an upper jaw that is down. */
export function head(pose, jaw) {
  const up = new Vector3(...pose.up).multiplyScalar(jaw === "upper" ? -1 : 1);
  const front = new Vector3(...pose.front);
  return { up, front, left: new Vector3().crossVectors(up, front) };
}

/** Where the eye is, seen from the middle, and what is up in the picture. */
const VIEWS = {
  above: ({ up, front }) => [up, front],
  below: ({ up, front }) => [up.clone().negate(), front],
  front: ({ up, front }) => [front, up],
  left: ({ up, left }) => [left, up],
  right: ({ up, left }) => [left.clone().negate(), up],
};

/** How the camera is turned for a view of these axes. */
export function turned(axes, view) {
  return facing(...VIEWS[view](axes));
}

/** How the camera is turned if the eye is on the side `side`, and `up` is up as far as it can be. */
export function facing(side, up) {
  const back = side.clone().normalize();
  const across = new Vector3().crossVectors(up, back);
  if (across.lengthSq() < 1e-6) {
    across.crossVectors(back, new Vector3(back.y, back.z, back.x)); // any that is not along it
  }
  across.normalize();
  const above = new Vector3().crossVectors(back, across);
  return new Quaternion().setFromRotationMatrix(new Matrix4().makeBasis(across, above, back));
}
