// The borders of a surface: edges that one triangle alone has, gathered into connected ones.

/** `segments`: both ends (x, y, z) of each edge of a border; `border`: the number of each one's
 * border; `centres` (x, y, z) of borders, each edge counting as much as it is long. */
export function borders(index, places) {
  const ends = lonely(index, places.length / 3);
  const count = ends.length / 2;
  const segments = new Float32Array(6 * count);
  const border = new Uint32Array(count);
  const number = connected(ends, places.length / 3);
  const sums = [];
  for (let edge = 0; edge < count; edge++) {
    const [a, b] = [3 * ends[2 * edge], 3 * ends[2 * edge + 1]];
    segments.set(places.subarray(a, a + 3), 6 * edge);
    segments.set(places.subarray(b, b + 3), 6 * edge + 3);
    border[edge] = number(ends[2 * edge]);
    const length = Math.hypot(...[0, 1, 2].map((each) => places[a + each] - places[b + each]));
    const sum = (sums[border[edge]] ??= [0, 0, 0, 0]);
    for (let each = 0; each < 3; each++) {
      sum[each] += (length * (places[a + each] + places[b + each])) / 2;
    }
    sum[3] += length;
  }
  const centres = Float32Array.from(sums.flatMap(([x, y, z, length]) => [x, y, z].map((each) => each / (length || 1))));
  return { segments, border, centres };
}

/** Edges by their lower vertex, so that equal ones stand in one short list. */
function lonely(index, vertices) {
  const starts = new Uint32Array(vertices + 1);
  eachEdge(index, (low) => starts[low + 1]++);
  for (let vertex = 0; vertex < vertices; vertex++) {
    starts[vertex + 1] += starts[vertex];
  }
  const highs = new Uint32Array(starts[vertices]);
  const next = starts.slice();
  eachEdge(index, (low, high) => (highs[next[low]++] = high));
  const ends = [];
  for (let low = 0; low < vertices; low++) {
    const list = highs.subarray(starts[low], starts[low + 1]).sort();
    for (let at = 0; at < list.length; at++) {
      if (list[at] !== list[at - 1] && list[at] !== list[at + 1]) {
        ends.push(low, list[at]);
      }
    }
  }
  return ends;
}

function eachEdge(index, act) {
  for (let at = 0; at < index.length; at += 3) {
    for (let side = 0; side < 3; side++) {
      const a = index[at + side];
      const b = index[at + ((side + 1) % 3)];
      if (a !== b) {
        act(Math.min(a, b), Math.max(a, b));
      }
    }
  }
}

/** Gives a vertex of `ends` the number of what it is connected to: 0, 1, ... */
function connected(ends, vertices) {
  const parent = new Uint32Array(vertices).map((_, vertex) => vertex);
  const root = (vertex) => {
    while (parent[vertex] !== vertex) {
      parent[vertex] = parent[parent[vertex]];
      vertex = parent[vertex];
    }
    return vertex;
  };
  for (let at = 0; at < ends.length; at += 2) {
    parent[root(ends[at])] = root(ends[at + 1]);
  }
  const numbers = new Map();
  return (vertex) => {
    const found = root(vertex);
    if (!numbers.has(found)) {
      numbers.set(found, numbers.size);
    }
    return numbers.get(found);
  };
}
