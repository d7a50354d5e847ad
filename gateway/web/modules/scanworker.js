// Makes of a kept scan what is drawn, beside the page, which goes on answering the reader. It gets
// { content, points } once, and answers { made } or { refused }.

import { borders } from "./scan/borders.js";
import { merge, normals } from "./scan/merge.js";
import { pose } from "./scan/pose.js";
import { read } from "./scan/read.js";

const AROUND_MM = 3;

addEventListener("message", ({ data }) => {
  let made;
  try {
    made = make(data.content, data.points);
  } catch (error) {
    postMessage({ refused: error instanceof RangeError ? "memory" : "unreadable" });
    return;
  }
  const parts = [made, made.borders].flatMap((each) => Object.values(each));
  postMessage({ made }, parts.filter((each) => ArrayBuffer.isView(each)).map((each) => each.buffer));
});

function make(content, points) {
  const { corners, colours } = read(content);
  const { index, places, first } = merge(corners);
  const facing = normals(index, places);
  return {
    index,
    places,
    normals: facing,
    colours: colours && light(colours, first),
    borders: borders(index, places),
    box: box(places),
    pose: pose(corners),
    sides: points.map((point) => side(point, places, facing)),
  };
}

/** The colour of each vertex as light adds up (IEC 61966-2-1), which is what is drawn with. */
function light(colours, first) {
  const table = Uint16Array.from({ length: 256 }, (_, at) => {
    const value = at / 255;
    return 65535 * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  });
  return Uint16Array.from({ length: 3 * first.length }, (_, at) => {
    return table[colours[3 * first[Math.floor(at / 3)] + (at % 3)]];
  });
}

function box(places) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let at = 0; at < places.length; at++) {
    low[at % 3] = Math.min(low[at % 3], places[at]);
    high[at % 3] = Math.max(high[at % 3], places[at]);
  }
  return { low, high };
}

/** From which side a place of the surface is seen: the mean of what faces out around it. */
function side([x, y, z], places, facing) {
  const sum = [0, 0, 0];
  for (let at = 0; at < places.length; at += 3) {
    const away = (places[at] - x) ** 2 + (places[at + 1] - y) ** 2 + (places[at + 2] - z) ** 2;
    if (away < AROUND_MM ** 2) {
      sum[0] += facing[at];
      sum[1] += facing[at + 1];
      sum[2] += facing[at + 2];
    }
  }
  const length = Math.hypot(...sum);
  return length > 1e-6 ? sum.map((each) => each / length) : null;
}
