// How an arch lies: where its teeth point, and where its front is; as the gateway tells it for the
// small picture and the words of findings (gateway/inspection/scans/pose.py, where it is argued).

import { add, cross, dot, length, scaled, unit } from "./vectors.js";
import { axes } from "./eigen.js";

const SAMPLE = 5_000; // triangles
const CELLS = 24;
const END = 0.2; // of the length

/** `up`: where teeth point; `front`: unit vectors. */
export function pose(corners) {
  const { points, weights, facets } = sample(corners);
  const total = weights.reduce((sum, each) => sum + each, 0);
  if (total === 0) {
    return { up: [0, 0, 1], front: [0, 1, 0] };
  }
  const middle = scaled(points.reduce((sum, point, at) => add(sum, scaled(point, weights[at])), [0, 0, 0]), 1 / total);
  const moved = points.map((point) => add(point, scaled(middle, -1)));
  const [least, ...across] = axes(moved, weights);
  const up = faces(facets, least) < 0 ? scaled(least, -1) : least;
  const plans = across.map((front) => plan(cross(front, up), front, moved, weights));
  return { up, front: plans[0].mirrored >= plans[1].mirrored ? plans[0].front : plans[1].front };
}

function sample(corners) {
  const triangles = corners.length / 9;
  const step = Math.ceil(triangles / SAMPLE);
  const [points, weights, facets] = [[], [], []];
  for (let at = 0; at < corners.length; at += 9 * step) {
    const three = [0, 3, 6].map((each) => [...corners.subarray(at + each, at + each + 3)]);
    const sides = [1, 2].map((each) => add(three[each], scaled(three[0], -1)));
    const facet = cross(...sides);
    facets.push(facet);
    for (const point of three) {
      points.push(point);
      weights.push(length(facet));
    }
  }
  return { points, weights, facets };
}

/** Positive if the surface faces up rather than down; of a closed body its flat side is below. */
function faces(facets, up) {
  const facing = facets.map((facet) => dot(facet, up));
  const sum = facing.reduce((all, each) => all + each, 0);
  const total = facets.reduce((all, facet) => all + length(facet), 0);
  if (Math.abs(sum) > 0.01 * total) {
    return sum;
  }
  const flat = facing.filter((each, at) => Math.abs(each) > 0.98 * length(facets[at]));
  return -flat.reduce((all, each) => all + each, 0);
}

/** How symmetric the shape is about a direction, and which end of it is the narrower one. */
function plan(right, front, points, weights) {
  const aside = points.map((point) => dot(point, right));
  const ahead = points.map((point) => dot(point, front));
  const span = aside.reduce((most, each) => Math.max(most, Math.abs(each)), 0) || 1;
  const back = ahead.reduce((least, each) => Math.min(least, each), Infinity);
  const tip = ahead.reduce((most, each) => Math.max(most, each), -Infinity);
  const cell = (value, from, to) => Math.min(CELLS - 1, Math.floor((CELLS * (value - from)) / (to - from || 1)));
  const counts = new Float64Array(CELLS * CELLS);
  aside.forEach((each, at) => {
    counts[cell(each, -span, span) * CELLS + cell(ahead[at], back, tip)] += weights[at];
  });
  let [same, all] = [0, 0];
  for (let at = 0; at < counts.length; at++) {
    const other = (CELLS - 1 - Math.floor(at / CELLS)) * CELLS + (at % CELLS);
    same += Math.min(counts[at], counts[other]);
    all += counts[at];
  }
  const width = (isIn) => {
    let [sum, weight] = [0, 0];
    ahead.forEach((each, at) => {
      if (isIn(each)) {
        sum += weights[at] * aside[at] ** 2;
        weight += weights[at];
      }
    });
    return Math.sqrt(sum / (weight || 1));
  };
  const far = END * (tip - back);
  const isNarrow = width((each) => each > tip - far) <= width((each) => each < back + far);
  return { mirrored: same / all, front: unit(isNarrow ? front : scaled(front, -1)) };
}
