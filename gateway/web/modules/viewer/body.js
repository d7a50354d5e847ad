// One scan in the picture: its surface, its borders, and the places of its findings.

import {
  BufferAttribute,
  BufferGeometry,
  Color,
  DataTexture,
  DoubleSide,
  Group,
  LineBasicMaterial,
  LineSegments,
  Mesh,
  MeshLambertMaterial,
  Points,
  PointsMaterial,
  SRGBColorSpace,
  Sphere,
  Vector3,
} from "three";

export const COLOURS = { base: 0x2a6fb0, hole: 0xd0021b, crack: 0xd0021b, place: 0xd0021b, chosen: 0x8a00c8 };
const STONES = [0xe8dcc6, 0xd3dee4, 0xdcd3e4, 0xd8e4d3];
const SAME_MM = 0.05; // between the centre of a border here and in the report
const PLACE_PX = 14;

export class Body {
  /** `made` by the worker; `report` of the file; `number` of the scan, for its tint. */
  constructor(made, report, number) {
    this.pose = made.pose;
    this.corners = corners(made.box);
    this.sphere = new Sphere().setFromPoints(this.corners);
    this.mesh = surface(made, this.sphere, number);
    this.lines = lines(made.borders, report.openings);
    this.places = dots(report.findings.flatMap((finding) => finding.places), COLOURS.place, PLACE_PX);
    this.marks = new Group().add(this.lines, this.places);
    this.group = new Group().add(this.mesh, this.marks);
  }

  /** From 0.1 to 1. */
  set opacity(value) {
    const { material } = this.mesh;
    material.opacity = value;
    material.transparent = value < 1;
    material.depthWrite = value === 1;
    material.needsUpdate = true;
  }

  dispose() {
    this.group.traverse((each) => {
      each.geometry?.dispose();
      each.material?.map?.dispose();
      each.material?.dispose();
    });
  }
}

/** Round marks of a size on the screen, in front of everything. */
export function dots(places, color, size) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(Float32Array.from(places.flat()), 3));
  const material = new PointsMaterial({ color, size, map: disc(), sizeAttenuation: false });
  Object.assign(material, { transparent: true, depthTest: false, depthWrite: false, alphaTest: 0.5 });
  const made = new Points(geometry, material);
  made.renderOrder = 2;
  made.frustumCulled = false;
  return made;
}

/** Of the box around it. */
function corners({ low, high }) {
  return [0, 1, 2, 3, 4, 5, 6, 7].map(
    (each) => new Vector3(...[0, 1, 2].map((axis) => ((each >> axis) & 1 ? high[axis] : low[axis]))),
  );
}

function surface(made, around, number) {
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(made.index, 1));
  geometry.setAttribute("position", new BufferAttribute(made.places, 3));
  geometry.setAttribute("normal", new BufferAttribute(made.normals, 3));
  geometry.boundingSphere = around;
  const material = new MeshLambertMaterial({ side: DoubleSide, polygonOffset: true });
  Object.assign(material, { polygonOffsetFactor: 1, polygonOffsetUnits: 1 });
  if (made.colours === null) {
    material.color.setHex(STONES[number % STONES.length]);
  } else {
    geometry.setAttribute("color", new BufferAttribute(made.colours, 3, true));
    material.vertexColors = true;
  }
  return new Mesh(geometry, material);
}

/** Each border in the colour of what the report says that it is. */
function lines({ segments, border, centres }, openings) {
  const colours = new Float32Array(segments.length);
  const kinds = [];
  for (let at = 0; at < centres.length; at += 3) {
    kinds.push(kindOf(centres.subarray(at, at + 3), openings));
  }
  border.forEach((number, segment) => {
    const colour = new Color(COLOURS[kinds[number]]).toArray();
    colours.set([...colour, ...colour], 6 * segment);
  });
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(segments, 3));
  geometry.setAttribute("color", new BufferAttribute(colours, 3));
  const made = new LineSegments(geometry, new LineBasicMaterial({ vertexColors: true, toneMapped: false }));
  made.renderOrder = 1;
  return made;
}

/** The report lists the longest openings; one that it leaves out is a small hole. */
function kindOf(centre, openings) {
  const same = openings.find(({ place }) => place.every((each, at) => Math.abs(each - centre[at]) < SAME_MM));
  return same?.kind ?? "hole";
}

function disc() {
  const side = 32;
  const pixels = new Uint8Array(4 * side * side).fill(255);
  for (let at = 0; at < side * side; at++) {
    const away = Math.hypot((at % side) - 15.5, Math.floor(at / side) - 15.5);
    pixels[4 * at + 3] = away < 15.5 ? 255 : 0;
    if (away > 12.5) {
      pixels.fill(0, 4 * at, 4 * at + 3); // a dark rim, to stand out from light stone
    }
  }
  const made = new DataTexture(pixels, side, side);
  made.colorSpace = SRGBColorSpace;
  made.needsUpdate = true;
  return made;
}
