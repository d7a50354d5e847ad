// The three principal directions of weighted points about the origin: Jacobi's rotations.

const SWEEPS = 32; // of a symmetric 3 by 3 matrix half a dozen are enough

/** Unit vectors, the direction of least extent first. */
export function axes(points, weights) {
  const matrix = [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) => points.reduce((sum, point, at) => sum + weights[at] * point[row] * point[column], 0)),
  );
  const turned = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const [p, q] of [[0, 1], [0, 2], [1, 2]]) {
      rotate(matrix, turned, p, q);
    }
  }
  return [0, 1, 2]
    .sort((a, b) => matrix[a][a] - matrix[b][b])
    .map((column) => turned.map((row) => row[column]));
}

/** Make the element beside the diagonal at (p, q) zero. */
function rotate(matrix, turned, p, q) {
  if (matrix[p][q] === 0) {
    return;
  }
  const theta = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of [...matrix, ...turned]) {
    [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  }
  [matrix[p], matrix[q]] = [
    matrix[p].map((each, at) => c * each - s * matrix[q][at]),
    matrix[q].map((each, at) => s * matrix[p][at] + c * each),
  ];
}
