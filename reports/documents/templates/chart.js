// Numbers as the report prints them, and the chart of one task: marks, curves, labels.

// Exact ties go to the even digit, as in Python.
function fixed(value, digits) {
  const scaled = value * 2 ** (digits + 1);
  if (scaled % 2 !== 1) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below % 2 ? below + 1 : below) / 10 ** digits).toFixed(digits);
}
const isNumber = v => v !== null && v !== undefined;
const percent = v => isNumber(v) ? fixed(100 * v, 1).replace("-", "−") : "–";
const whole = v => fixed(100 * v, 0).replace("-", "−");
const hasSpan = s => Boolean(s) && isNumber(s.forecast) && isNumber(s.low) && isNumber(s.high);
const spanned = s => hasSpan(s) ? `${percent(s.forecast)} (${whole(s.low)}–${whole(s.high)})` : "–";
const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
function power(v) {
  const [mantissa, exponent] = v.toExponential(1).split("e");
  return `${mantissa}×10${[...String(+exponent)].map(c => RAISED[c]).join("")}`;
}
function count(v) {
  if (!isNumber(v)) return "–";
  for (const [size, unit] of UNITS)
    if (v >= size * 0.9995) return Number((v / size).toPrecision(3)) + unit;
  return String(Number(v.toPrecision(3)));
}
const UNITS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];
const shorten = (text, most) => text.length <= most ? text : `${text.slice(0, Math.ceil(most / 2))}…${text.slice(-Math.floor(most / 2) + 1)}`;

// Names are only ever text. What an SVG element looks like stands in its attributes, so that the picture can be saved.
function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
const word = (x, y, text, more = {}) => svg("text", { x, y, fill: "currentColor", "font-size": 12, ...more }, text);
const label = (x, y, text, more = {}) => word(x, y, text, { class: "halo", "paint-order": "stroke", "stroke-width": 4, "stroke-linejoin": "round", ...more });

const TOP = 24, LEFT = 48, RIGHT = 12, BELOW = 42;

// Where a number of FLOPs and a score lie, in a frame so many pixels wide: all that is drawn fits, letters keep their size.
function scales(task, lines, targets, wide) {
  const xs = [...task.runs, ...targets].map(r => r.flops).concat(lines.flatMap(line => line.flops));
  const spans = targets.flatMap(t => t.spans).filter(hasSpan).flatMap(s => [s.forecast, s.low, s.high]);
  const ys = [...task.runs.map(r => r.y), ...lines.flatMap(l => [...l.forecast, ...l.low, ...l.high]), ...spans, task.chance].filter(isNumber);
  const pad = Math.max(.03, .06 * (Math.max(...ys) - Math.min(...ys)));
  const x0 = Math.log10(Math.min(...xs)) - .12, x1 = Math.log10(Math.max(...xs)) + .2;
  const y0 = Math.max(0, Math.min(...ys) - pad), y1 = Math.min(1, Math.max(...ys) + pad);
  const width = Math.max(340, Math.min(960, Math.round(wide) || 760)), height = Math.round(Math.min(460, 170 + .45 * width));
  return {
    width, height, x0, x1, y0, y1, bottom: height - BELOW,
    x: v => LEFT + (Math.log10(v) - x0) / (x1 - x0) * (width - LEFT - RIGHT),
    y: v => height - BELOW - (Math.min(1, Math.max(0, v)) - y0) / (y1 - y0) * (height - BELOW - TOP),
  };
}

function axes(view, score) {
  const parts = [], line = { stroke: "currentColor", "stroke-opacity": .16 };
  const jump = Math.max(1, Math.ceil((view.x1 - view.x0) / (view.width / 72)));
  for (let e = Math.ceil(view.x0); e <= view.x1; e += jump) {
    const x = view.x(10 ** e);
    parts.push(svg("line", { x1: x, x2: x, y1: TOP, y2: view.bottom, ...line }));
    parts.push(word(x, view.bottom + 16, power(10 ** e).replace("1.0×", ""), { "text-anchor": "middle" }));
  }
  const step = [.01, .02, .05, .1, .2].find(s => (view.y1 - view.y0) / s < 9) ?? .25;
  for (let k = Math.ceil(view.y0 / step); k * step <= view.y1 + 1e-9; k++) {
    const y = view.y(k * step);
    parts.push(svg("line", { x1: LEFT, x2: view.width - RIGHT, y1: y, y2: y, ...line }));
    parts.push(word(LEFT - 6, y + 4, String(Math.round(100 * k * step)), { "text-anchor": "end" }));
  }
  parts.push(word((LEFT + view.width) / 2, view.height - 6, "training compute, FLOPs", { "text-anchor": "middle" }));
  parts.push(word(LEFT - 36, 11, `${shorten(score, 40)}, %`));
  return parts;
}

function curve(line, recipe, view) {
  const kept = line.flops.map((_, i) => i).filter(i => [line.forecast[i], line.low[i], line.high[i]].every(isNumber));
  const path = (values, order) => order.map(i => `${view.x(line.flops[i]).toFixed(1)},${view.y(values[i]).toFixed(1)}`).join(" ");
  return [
    svg("polygon", { points: `${path(line.low, kept)} ${path(line.high, [...kept].reverse())}`, fill: recipe.line, "fill-opacity": .16 }),
    svg("polyline", { points: path(line.forecast, kept), fill: "none", stroke: recipe.line, "stroke-width": 2, "stroke-dasharray": recipe.dash }),
  ];
}

// Shapes of forecasts by name, about 0,0 and of size 1: diamond, square, triangles.
const SHAPES = { D: "M0 -1.1L1 0L0 1.1L-1 0Z", s: "M-.85 -.85H.85V.85H-.85Z", "^": "M0 -1.1L1 .8H-1Z", v: "M0 1.1L1 -.8H-1Z" };

// A forecast: its mark on a bar that is its interval; no measured run looks like it.
function forecastMark(x, span, recipe, view, size) {
  if (!hasSpan(span)) return [];
  const y = view.y(span.forecast), ends = [view.y(span.low), view.y(span.high)];
  const bar = (x1, y1, x2, y2) => svg("line", { x1, y1, x2, y2, stroke: recipe.colour, "stroke-width": size / 2.4 });
  return [
    bar(x, ends[0], x, ends[1]), ...ends.map(end => bar(x - size, end, x + size, end)),
    svg("path", { d: SHAPES[recipe.mark] ?? SHAPES.D, transform: `translate(${x} ${y}) scale(${size + 1})`, fill: recipe.colour, stroke: "currentColor", "stroke-width": .15 }),
  ];
}

// A measured run: filled where the laws were fitted on it, open where it was held out, a cross where it was not used.
function runMark(run, view) {
  const x = view.x(run.flops), y = view.y(run.y), common = { class: "point", stroke: "currentColor", "stroke-width": 1.5 };
  if (run.role === "unused") return svg("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, fill: "none", ...common });
  return svg("circle", { cx: x, cy: y, r: 4.5, fill: "currentColor", "fill-opacity": run.role === "fit" ? .75 : 0, ...common });
}

// Lines that are no forecast, each with its name at the right end: chance, and the largest run's score.
function reference(value, from, text, dash, view, below) {
  const y = view.y(value);
  return [
    svg("line", { x1: from, x2: view.width - RIGHT, y1: y, y2: y, stroke: "currentColor", "stroke-width": 1, "stroke-dasharray": dash }),
    label(view.width - RIGHT - 2, below ? y + 14 : y - 5, text, { "text-anchor": "end", "font-size": 11 }),
  ];
}
