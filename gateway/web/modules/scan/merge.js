// Corners at one place become one vertex: on the grid of 1e-8 mm of docs/definitions.md, so that
// borders are those of the report.

const STEPS = 1e8; // to a mm

/** `index`: the vertex of each corner; `places` (x, y, z) and `first` corner of each vertex. */
export function merge(corners) {
  const count = corners.length / 3;
  const size = 1 << Math.ceil(Math.log2(2 * count + 1));
  const table = new Int32Array(size).fill(-1);
  const grid = new Float64Array(corners.length);
  const index = new Uint32Array(count);
  const first = new Uint32Array(count);
  let vertices = 0;
  for (let corner = 0; corner < count; corner++) {
    const x = Math.round(corners[3 * corner] * STEPS);
    const y = Math.round(corners[3 * corner + 1] * STEPS);
    const z = Math.round(corners[3 * corner + 2] * STEPS);
    let slot = hash(x, y, z) & (size - 1);
    let vertex = table[slot];
    while (vertex >= 0 && !(grid[3 * vertex] === x && grid[3 * vertex + 1] === y && grid[3 * vertex + 2] === z)) {
      slot = (slot + 1) & (size - 1);
      vertex = table[slot];
    }
    if (vertex < 0) {
      vertex = vertices++;
      table[slot] = vertex;
      grid[3 * vertex] = x;
      grid[3 * vertex + 1] = y;
      grid[3 * vertex + 2] = z;
      first[vertex] = corner;
    }
    index[corner] = vertex;
  }
  const places = new Float32Array(3 * vertices);
  for (let vertex = 0; vertex < vertices; vertex++) {
    for (let each = 0; each < 3; each++) {
      places[3 * vertex + each] = corners[3 * first[vertex] + each];
    }
  }
  return { index, places, first: first.slice(0, vertices) };
}

function hash(x, y, z) {
  return mixed(mixed(mixed(0, x), y), z);
}

/** Takes in a whole number of up to 44 bits; `imul` alone would see the low 32. */
function mixed(before, number) {
  const high = Math.floor(number / 4294967296);
  const low = Math.imul(before ^ (number - high * 4294967296), 0x9e3779b1);
  const both = Math.imul(low ^ (low >>> 15) ^ high, 0x85ebca77);
  return both ^ (both >>> 13);
}

/** Of each vertex the direction that the surface faces there: triangles weigh by their area. */
export function normals(index, places) {
  const sums = new Float32Array(places.length);
  for (let at = 0; at < index.length; at += 3) {
    const [a, b, c] = [3 * index[at], 3 * index[at + 1], 3 * index[at + 2]];
    const [ux, uy, uz] = [places[b] - places[a], places[b + 1] - places[a + 1], places[b + 2] - places[a + 2]];
    const [vx, vy, vz] = [places[c] - places[a], places[c + 1] - places[a + 1], places[c + 2] - places[a + 2]];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) {
      sums[corner] += x;
      sums[corner + 1] += y;
      sums[corner + 2] += z;
    }
  }
  for (let at = 0; at < sums.length; at += 3) {
    const length = Math.hypot(sums[at], sums[at + 1], sums[at + 2]) || 1;
    sums[at] /= length;
    sums[at + 1] /= length;
    sums[at + 2] /= length;
  }
  return sums;
}
