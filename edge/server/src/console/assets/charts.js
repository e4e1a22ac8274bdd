// Line charts as SVG paths, redrawn in place.

const SVG = "http://www.w3.org/2000/svg";

function node(svg, key, tag, attributes) {
  let found = svg.querySelector(`[data-key="${key}"]`);
  if (!found) {
    found = document.createElementNS(SVG, tag);
    found.dataset.key = key;
    svg.append(found);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (found.getAttribute(name) !== String(value)) found.setAttribute(name, value);
  }
  return found;
}

// A path through the points that have a value; a gap where one has none.
function path(points) {
  let pen = "M";
  let d = "";
  for (const [x, y] of points) {
    if (y === null) {
      pen = "M";
    } else {
      d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
    }
  }
  return d;
}

// The smallest of 1, 2, 2.5, 5 × 10^n that is not below `value`.
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((top) => top >= value * 0.999);
}

// series: [{ key, values: (number|null)[], area?: bool }]; all share one scale from 0. Returns its top.
export function spark(svg, series, length) {
  const [width, height] = [600, 110];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const top = ceiling(Math.max(0, ...series.flatMap((s) => s.values.filter((v) => v !== null))));
  for (const share of [0, 0.5, 1]) {
    const y = height - share * height;
    node(svg, `grid${share}`, "path", { class: "grid", d: `M0 ${y}H${width}` });
  }
  for (const { key, values, area } of series) {
    const from = length - values.length;
    const points = values.map((v, i) => [((from + i) / (length - 1)) * width, v === null ? null : height - (v / top) * height]);
    const line = path(points);
    if (area) {
      const solid = points.filter(([, y]) => y !== null);
      const d = solid.length ? `${path(solid)}L${solid.at(-1)[0].toFixed(1)} ${height}L${solid[0][0].toFixed(1)} ${height}Z` : "";
      node(svg, `${key}-area`, "path", { class: `area ${key}`, d });
    }
    node(svg, key, "path", { class: `line ${key}`, d: line });
  }
  return top;
}

// rows: [{ predicted, observed, truth|null }], lowest prediction first.
export function calibration(svg, rows, percent) {
  const [width, height, left, bottom] = [600, 250, 46, 22];
  svg.setAttribute("viewBox", `0 0 ${width} ${height + bottom}`);
  const top = ceiling(Math.max(0, ...rows.flatMap((r) => [r.predicted, r.observed, r.truth ?? 0])));
  const x = (i) => left + ((i + 0.5) / 10) * (width - left);
  const y = (rate) => height - (rate / top) * (height - 8);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(share * top);
    node(svg, `grid${share}`, "path", { class: "grid", d: `M${left} ${at}H${width}` });
    node(svg, `scale${share}`, "text", { x: left - 8, y: at + 4, "text-anchor": "end" }).textContent = percent(share * top);
  }
  for (let i = 0; i < 10; i += 1) {
    node(svg, `tick${i}`, "text", { x: x(i), y: height + 16, "text-anchor": "middle" }).textContent = `${i + 1}`;
  }
  const line = (name) => path(rows.map((r, i) => [x(i), r[name] == null ? null : y(r[name])]));
  node(svg, "truth", "path", { class: "line truth", d: line("truth") });
  node(svg, "predicted", "path", { class: "line predicted", d: line("predicted") });
  rows.forEach((r, i) => node(svg, `dot${i}`, "circle", { class: "dot observed", cx: x(i), cy: y(r.observed), r: 4.5 }));
}
