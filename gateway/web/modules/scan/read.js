// Reads the two forms in which a scan is kept (gateway/inspection/forms.py): binary STL without a
// header, and PLY with three coloured vertices for each triangle. Anything else is refused: what is
// not exactly of its form was not written by the inspection.

const STL_HEADER = 84;
const STL_TRIANGLE = 50;
const PLY_VERTEX = 15;
const PLY_FACE = 13;
const MOST_TRIANGLES = 2_500_000; // as the inspection accepts
const FURTHEST_MM = 1e5; // likewise

export class Unreadable extends Error {}

/** The scan's corners: x, y, z of each of three corners of each triangle, in mm; colours or null. */
export function read(buffer) {
  const bytes = new DataView(buffer);
  const scan = isPly(bytes) ? readPly(bytes) : readStl(bytes);
  // NaN fails the comparison too.
  if (!scan.corners.every((each) => Math.abs(each) <= FURTHEST_MM)) {
    throw new Unreadable("a coordinate is no place in a mouth");
  }
  return scan;
}

function isPly(bytes) {
  return bytes.byteLength >= 4 && bytes.getUint32(0) === 0x706c790a; // "ply\n"
}

function readStl(bytes) {
  const triangles = bytes.byteLength < STL_HEADER ? 0 : bytes.getUint32(STL_HEADER - 4, true);
  expect(bytes, triangles, STL_HEADER + STL_TRIANGLE * triangles);
  const corners = new Float32Array(9 * triangles);
  for (let triangle = 0, at = STL_HEADER + 12; triangle < triangles; triangle++, at += STL_TRIANGLE) {
    for (let each = 0; each < 9; each++) {
      corners[9 * triangle + each] = bytes.getFloat32(at + 4 * each, true);
    }
  }
  return { corners, colours: null };
}

function readPly(bytes) {
  const start = new Uint8Array(bytes.buffer, 0, Math.min(bytes.byteLength, 400));
  const head = String.fromCharCode(...start);
  const triangles = Number(/\nelement face (\d{1,7})\n/.exec(head)?.[1] ?? 0);
  const header = plyHeader(triangles);
  if (!head.startsWith(header)) {
    throw new Unreadable("another PLY than is kept");
  }
  const vertices = 3 * triangles;
  const faces = header.length + PLY_VERTEX * vertices;
  expect(bytes, triangles, faces + PLY_FACE * triangles);
  const corners = new Float32Array(3 * vertices);
  const colours = new Uint8Array(3 * vertices);
  for (let corner = 0; corner < vertices; corner++) {
    // The corners of each triangle stand one after another, as its face says.
    const vertex = bytes.getInt32(faces + PLY_FACE * Math.floor(corner / 3) + 1 + 4 * (corner % 3), true);
    if (vertex < 0 || vertex >= vertices) {
      throw new Unreadable("a triangle without corners");
    }
    const at = header.length + PLY_VERTEX * vertex;
    for (let each = 0; each < 3; each++) {
      corners[3 * corner + each] = bytes.getFloat32(at + 4 * each, true);
      colours[3 * corner + each] = bytes.getUint8(at + 12 + each);
    }
  }
  return { corners, colours };
}

function plyHeader(triangles) {
  return (
    `ply\nformat binary_little_endian 1.0\nelement vertex ${3 * triangles}\n` +
    "property float x\nproperty float y\nproperty float z\n" +
    "property uchar red\nproperty uchar green\nproperty uchar blue\n" +
    `element face ${triangles}\nproperty list uchar int vertex_indices\nend_header\n`
  );
}

/** Before anything as large as the count says is made. */
function expect(bytes, triangles, length) {
  if (triangles < 1 || triangles > MOST_TRIANGLES || bytes.byteLength !== length) {
    throw new Unreadable("not as long as it says");
  }
}
