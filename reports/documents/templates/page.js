// The page's state (which task, which run or size, which recipes), its address, and what is shown for it.
const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const ANSWER = Math.max(0, D.recipes.findIndex(r => r.shown));
const SWEPT = "";  // the entry of the list of runs that stands for the slider's own sizes
const state = { task: 0, target: SWEPT, flops: null, m: null, hidden: new Set(D.recipes.keys()), mark: -1 };
D.recipes.forEach((r, i) => { if (r.shown) state.hidden.delete(i); });

function make(tag, text, more = {}) {
  const node = Object.assign(document.createElement(tag), more);
  if (text !== undefined) node.append(text);
  return node;
}
const far = (a, b) => Math.abs(Math.log(a / b));
const nearest = (values, wanted) => values.reduce((best, v) => far(v, wanted) < far(best, wanted) ? v : best);
const task = () => D.tasks[state.task];
const track = () => task().tracks.find(t => t.m === state.m) ?? task().tracks[0];
const lines = () => (track()?.lines ?? []).filter(line => !state.hidden.has(line.recipe));
const multiplierOf = t => t.params && t.tokens ? t.tokens / t.params : null;

// Where the slider stops: the planned runs that were forecast along compute, and every target at its own size.
function stops() {
  const targets = task().targets.map(t => ({ ...t, m: multiplierOf(t) }));
  const t = track(), swept = t && t.m !== null ? t.lines[0].flops : [];
  const own = new Set(targets.map(each => each.flops));
  const made = swept.map((flops, i) => ({ name: SWEPT, flops, m: t.m, params: Math.sqrt(flops / (6 * t.m)), tokens: Math.sqrt(flops * t.m / 6),
    spans: D.recipes.map((_, r) => spanOf(t.lines.find(line => line.recipe === r && !line.law), i)), direct: t.direct[i], measured: null }));
  return [...made.filter(stop => !own.has(stop.flops)), ...targets].sort((a, b) => a.flops - b.flops);
}
function spanOf(line, i) {
  return line ? { forecast: line.forecast[i], low: line.low[i], high: line.high[i], grade: null } : null;
}
function current(all = stops()) {
  return all.find(stop => stop.name !== SWEPT && stop.name === state.target) ?? all.find(stop => stop.flops === state.flops) ?? all[0];
}

// ---- choosing ----

function choose(index, target, flops, m) {
  state.task = index;
  const named = task().targets.find(t => t.name === target), ratios = task().tracks.map(t => t.m).filter(isNumber);
  const wanted = m ?? (named && multiplierOf(named)) ?? state.m;
  state.m = ratios.length ? nearest(ratios, wanted ?? ratios[ratios.length - 1]) : null;
  const all = stops();
  state.target = named ? target : SWEPT;
  state.flops = named ? named.flops : all.length ? nearest(all.map(s => s.flops), flops ?? state.flops ?? all[all.length - 1].flops) : null;
  if (!named && all.length) state.target = all.find(s => s.flops === state.flops).name;
  state.mark = -1;
  fillControls(all, ratios);
  show(all);
}

function fillControls(all, ratios) {
  $("task").value = String(state.task);
  const named = task().targets.map(t => make("option", `${t.name} (${t.planned ? "planned" : "measured"})`, { value: t.name, dir: "auto" }));
  $("run").replaceChildren(...named, ...(all.length > named.length ? [make("option", "another size, by the slider", { value: SWEPT })] : []));
  $("run").parentElement.hidden = !all.length;
  $("multiplier").replaceChildren(...ratios.map(m => make("option", String(m), { value: String(m) })));
  $("multiplier").value = String(state.m);
  $("ratio").hidden = ratios.length < 2;
  $("slide").hidden = all.length < 2;
  $("flops").max = String(Math.max(0, all.length - 1));
  for (const row of document.querySelectorAll("#rows tr")) row.classList.toggle("now", row.dataset.task === task().label);
}

// ---- showing ----

function show(all = stops()) {
  const stop = current(all);
  $("run").value = stop ? stop.name : SWEPT;
  $("flops").value = String(all.indexOf(stop));
  $("size").textContent = stop ? sizeOf(stop) : "";
  $("says").textContent = `${task().label}: ` + (stop ? saidOf(stop) : task().why ? `no number is given: ${task().why}.` : "nothing was forecast.");
  $("flops").setAttribute("aria-valuetext", stop ? `${nameOf(stop)}: ${saidOf(stop)}` : "");
  $("beside").textContent = stop ? besideOf(stop) : "";
  $("how").textContent = stop ? howOf(stop) : "";
  draw(stop);
  fillNumbers();
}
const nameOf = stop => stop.name || `a planned run of ${power(stop.flops)} FLOPs`;
function sizeOf(stop) {
  const ratio = isNumber(stop.m) ? `, ${Number(stop.m.toPrecision(3))} tokens per parameter` : "";
  return `${stop.name ? `${stop.name}: ` : "A planned run of "}${power(stop.flops)} FLOPs, ${count(stop.params)} parameters, ${count(stop.tokens)} tokens${ratio}.`;
}
function saidOf(stop) {
  const span = stop.spans[ANSWER], grade = span && span.grade ? `, grade ${span.grade}` : "";
  const measured = isNumber(stop.measured) ? ` Measured: ${percent(stop.measured)} %.` : "";
  if (!hasSpan(span)) return `no number is given${task().why ? `: ${task().why}` : ""}.${measured}`;
  return `${percent(span.forecast)} %, between ${whole(span.low)} and ${whole(span.high)} % with ${D.level} confidence${grade}.${measured}`;
}
// What else is said of the same run: the other recipes that are shown, and the two baselines.
function besideOf(stop) {
  const others = D.recipes.map((recipe, r) => [recipe.name, r]).filter(([, r]) => r !== ANSWER && !state.hidden.has(r) && stop.spans[r]);
  const words = others.map(([name, r]) => `${name} ${spanned(stop.spans[r])}`);
  if (isNumber(stop.direct)) words.push(`direct law ${percent(stop.direct)}`);
  if (isNumber(task().carried)) words.push(`largest run carried forward ${percent(task().carried)}`);
  return words.length ? `Beside it, in percent: ${words.join("; ")}.` : "";
}
function howOf(stop) {
  if (stop.name) return "";
  const typed = `--flops ${stop.flops.toExponential().replace("e+", "e")} --token-multiplier ${stop.m} --all`;
  return `Nothing is interpolated: every stop of the slider is a planned run that was forecast like any other. The same numbers: benchcast forecast CONFIG ${typed}`;
}

function draw(stop) {
  // Planned runs are always drawn: they are what is asked for. Others when they are chosen.
  const targets = task().targets.filter(t => t.planned || (stop && t.name === stop.name));
  const drawn = stop && !stop.name ? [...targets, stop] : targets;
  const empty = !task().runs.length && !lines().length && !isVisible(drawn);
  $("frame").hidden = $("caption").hidden = $("png").hidden = empty;
  $("nothing").hidden = !empty;
  if (empty) return void ($("nothing").textContent = `Nothing can be drawn for this task: no run of it was measured, and ${task().why ? `no number is given (${task().why})` : "nothing was forecast"}.`);
  const view = scales(task(), lines(), drawn, $("frame").clientWidth), parts = [svg("title", { id: "svg-title" }, altOf(stop)), ...axes(view, task().score)];
  if (task().chance) parts.push(...reference(task().chance, LEFT, "chance", "1 4", view, false));
  const largest = task().runs.filter(r => r.role === "fit").pop();
  if (largest && isNumber(task().carried)) parts.push(...reference(task().carried, view.x(largest.flops), "largest run's score", "6 4", view, true));
  for (const line of lines()) parts.push(...curve(line, D.recipes[line.recipe], view));
  task().runs.forEach((run, i) => parts.push(listening(runMark(run, view), run, i, view)));
  for (const t of drawn) parts.push(...marksOf(t, view, t === stop || (stop && t.name && t.name === stop.name)));
  $("svg").setAttribute("viewBox", `0 0 ${view.width} ${view.height}`);
  $("svg").replaceChildren(...parts);
  $("caption").textContent = captionOf(drawn);
  $("tip").hidden = true;
}

const isVisible = targets => targets.some(t => t.spans.some((s, r) => hasSpan(s) && !state.hidden.has(r)));

// The forecasts of one target side by side, the chosen one larger, with its name above or below its interval.
function marksOf(t, view, chosen) {
  const shown = D.recipes.map((recipe, r) => ({ recipe, span: t.spans[r], r })).filter(s => hasSpan(s.span) && !state.hidden.has(s.r));
  const x = view.x(t.flops), parts = shown.flatMap((s, i) => forecastMark(x + 13 * (i - (shown.length - 1) / 2), s.span, s.recipe, view, chosen ? 6 : 4));
  if (!shown.length || !t.name) return parts;
  const top = Math.min(...shown.map(s => view.y(s.span.high))), low = Math.max(...shown.map(s => view.y(s.span.low)));
  const text = shorten(t.name, 24), half = 3.6 * text.length, anchor = x + half > view.width - RIGHT ? "end" : "middle";
  const y = top - 7 > TOP ? top - 7 : low + 16;
  return [...parts, label(anchor === "end" ? view.width - RIGHT : x, y, text, { "text-anchor": anchor, "font-weight": chosen ? 700 : 400 })];
}

function captionOf(drawn) {
  const roles = new Set(task().runs.map(r => r.role)), words = [];
  if (roles.has("fit")) words.push("Filled circles: runs the laws were fitted on.");
  if (roles.has("held out")) words.push("Open circles: held-out runs, which no law has seen.");
  if (roles.has("unused")) words.push("Crosses: runs that were not used.");
  const visible = isVisible(drawn);
  if (visible) words.push(`Coloured marks on bars: forecasts with their ${D.level} prediction interval.`);
  if (lines().length) words.push(track().m === null ? "Lines: the fitted laws; shade: their intervals." : `Line and shade: forecasts at ${track().m} tokens per parameter, and their intervals.`);
  if (!lines().length && !visible && task().why) words.push(`No forecast is drawn: no number is given (${task().why}).`);
  return words.join(" ");
}
function altOf(stop) {
  const runs = task().runs, ends = runs.length ? ` ${runs.length} measured runs from ${percent(runs[0].y)} % to ${percent(runs[runs.length - 1].y)} %, by compute.` : "";
  return `${task().label}: ${task().score} against training compute.${ends}${stop ? ` ${nameOf(stop)}: ${saidOf(stop)}` : ""}`;
}

// ---- runs, by pointer or arrow keys ----

function listening(node, run, index, view) {
  node.addEventListener("pointerenter", () => tell(index, view));
  node.addEventListener("click", () => tell(index, view));
  node.addEventListener("pointerleave", () => { $("tip").hidden = true; });
  return node;
}
function tell(index, view) {
  const run = task().runs[index], tip = $("tip"), scale = $("svg").clientWidth / view.width;
  state.mark = index;
  document.querySelectorAll(".point").forEach((node, i) => node.classList.toggle("at", i === index));
  const role = run.role === "fit" ? "the laws were fitted on it" : run.role;
  tip.replaceChildren(make("b", make("bdi", run.name)), make("div", `${percent(run.y)} %, ${count(run.params)} parameters, ${count(run.tokens)} tokens, ${power(run.flops)} FLOPs; ${role}`));
  tip.hidden = false;
  const x = view.x(run.flops) * scale, y = view.y(run.y) * scale;
  tip.style.left = `${Math.max(0, Math.min(x + 10, $("frame").clientWidth - tip.offsetWidth))}px`;
  tip.style.top = `${y - tip.offsetHeight - 10 > 0 ? y - tip.offsetHeight - 10 : y + 12}px`;
}
function stepMark(event) {
  const last = task().runs.length - 1;
  const to = { ArrowRight: Math.min(last, state.mark + 1), ArrowLeft: Math.max(0, state.mark - 1), Home: 0, End: last }[event.key];
  if (to === undefined || last < 0) return;
  event.preventDefault();
  const targets = task().targets.filter(t => t.planned || t.name === state.target), stop = current();
  tell(to, scales(task(), lines(), stop && !stop.name ? [...targets, stop] : targets, $("frame").clientWidth));
}

// ---- the numbers, and files of them ----

const HEADS = ["Kind", "Name", "Parameters", "Tokens", "FLOPs", "Score", "Low", "High"];
function numbersOf() {
  const runs = task().runs.map(r => [r.role === "fit" ? "measured, fitted" : `measured, ${r.role}`, r.name, r.params, r.tokens, r.flops, r.y, null, null]);
  const made = stops().flatMap(stop => D.recipes.map((recipe, r) => [stop, recipe, r])).filter(([stop, , r]) => hasSpan(stop.spans[r]) && !state.hidden.has(r));
  return [...runs, ...made.map(([s, recipe, r]) => [`forecast, ${recipe.name}`, s.name, s.params, s.tokens, s.flops, s.spans[r].forecast, s.spans[r].low, s.spans[r].high])];
}
function fillNumbers() {
  const show = [String, String, count, count, power, percent, percent, percent];
  const head = make("tr"), body = make("tbody");
  head.append(...HEADS.map((text, i) => make("th", i > 4 ? `${text}, %` : text, { scope: "col", className: i < 2 ? "left" : "" })));
  for (const values of numbersOf()) {
    const row = make("tr");
    row.append(...values.map((v, i) => { const cell = make("td", i < 2 ? make("bdi", v) : show[i](v), { className: i < 2 ? "left" : "" }); if (i > 1 && isNumber(v)) cell.dataset.v = v; return cell; }));
    body.append(row);
  }
  const thead = make("thead");
  thead.append(head);
  $("numbers").replaceChildren(make("caption", `${task().label}, ${task().score}`), thead, body);
  makeSortable($("numbers"));
}
const csvOf = rows => rows.map(row => row.map(v => isNumber(v) ? /[",\r\n]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v) : "").join(",")).join("\n") + "\n";
const fileName = kind => `benchcast-${task().label.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60) || "task"}.${kind}`;
function save(blob, name) {
  const url = URL.createObjectURL(blob), a = make("a", undefined, { href: url, download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  $("done").textContent = `Saved as ${name}.`;
}
const saveCsv = (rows, name) => save(new Blob([csvOf(rows)], { type: "text/csv;charset=utf-8" }), name);
function allRows() {
  const head = ["task", "run", "planned", "params", "tokens", "flops", "recipe", "forecast", "low", "high", "grade", "direct", "carry_forward", "measured"];
  const rows = D.tasks.flatMap(t => t.targets.flatMap(r => r.spans.flatMap((s, i) => s ? [[t.label, r.name, r.planned, r.params, r.tokens, r.flops, D.recipes[i].name, s.forecast, s.low, s.high, s.grade, r.direct, t.carried, r.measured]] : [])));
  return [head, ...rows];
}
// The picture carries its own letters and colours: outside the page no style sheet reaches it.
async function savePng() {
  const copy = $("svg").cloneNode(true), [, , width, height] = copy.getAttribute("viewBox").split(" ").map(Number), style = getComputedStyle(document.body);
  for (const [key, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width: 2 * width, height: 2 * height, color: style.color, "font-family": "sans-serif" })) copy.setAttribute(key, value);
  for (const node of copy.querySelectorAll(".halo")) node.setAttribute("stroke", style.backgroundColor);
  copy.prepend(svg("rect", { width, height, fill: style.backgroundColor }));
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" })), image = new Image();
  image.src = url;
  await image.decode();
  const canvas = make("canvas", undefined, { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  URL.revokeObjectURL(url);
  canvas.toBlob(blob => save(blob, fileName("png")), "image/png");
}

// ---- the address: #task=…&run=… or #task=…&flops=…&ratio=… ----

function address() {
  const parts = new URLSearchParams({ task: task().label });
  if (state.target !== SWEPT) parts.set("run", state.target);
  else if (isNumber(state.flops)) { parts.set("flops", String(state.flops)); if (isNumber(state.m)) parts.set("ratio", String(state.m)); }
  return `#${parts}`;
}
function remember(push) {
  if (location.hash !== address()) history[push ? "pushState" : "replaceState"](null, "", address());
}
function fromAddress() {
  const parts = new URLSearchParams(location.hash.slice(1)), number = key => Number(parts.get(key)) > 0 ? Number(parts.get(key)) : null;
  const index = D.tasks.findIndex(t => t.label === (parts.get("task") ?? D.task));
  const target = parts.has("run") ? parts.get("run") : number("flops") === null ? D.target : SWEPT;
  choose(Math.max(0, index), target, number("flops"), number("ratio"));
}

function begin() {
  $("explore").hidden = false;
  $("task").append(...D.tasks.map((t, i) => make("option", t.label, { value: String(i), dir: "auto" })));
  D.recipes.forEach((recipe, i) => {
    const label = make("label"), box = make("input", undefined, { type: "checkbox", checked: recipe.shown });
    const sample = svg("svg", { viewBox: "0 0 30 10", width: 30, height: 10, "aria-hidden": "true" }, 
      svg("line", { x1: 0, x2: 30, y1: 5, y2: 5, stroke: recipe.line, "stroke-width": 2, "stroke-dasharray": recipe.dash }),
      svg("path", { d: SHAPES[recipe.mark] ?? SHAPES.D, transform: "translate(15 5) scale(4)", fill: recipe.colour }));
    box.addEventListener("change", () => { state.hidden[box.checked ? "delete" : "add"](i); show(); });
    label.append(box, sample, make("span", recipe.name));
    $("recipes").append(label);
  });
  $("recipes").hidden = D.recipes.length < 2;
  $("link").hidden = !navigator.clipboard;
  $("task").addEventListener("change", () => { choose(Number($("task").value), state.target, state.flops, state.m); remember(true); });
  $("run").addEventListener("change", () => { choose(state.task, $("run").value, state.flops, null); remember(true); });
  $("multiplier").addEventListener("change", () => { choose(state.task, SWEPT, state.flops, Number($("multiplier").value)); remember(true); });
  $("flops").addEventListener("input", () => { const stop = stops()[Number($("flops").value)]; state.target = stop.name; state.flops = stop.flops; show(); });
  $("flops").addEventListener("change", () => remember(true));
  $("frame").addEventListener("keydown", stepMark);
  $("frame").addEventListener("blur", () => { $("tip").hidden = true; });
  $("png").addEventListener("click", savePng);
  $("csv").addEventListener("click", () => saveCsv([HEADS.map(h => h.toLowerCase()), ...numbersOf()], fileName("csv")));
  $("link").addEventListener("click", async () => { remember(false); await navigator.clipboard.writeText(location.href); $("done").textContent = "Copied."; });
  let jump = false;  // a link of the table was followed: the chart is to be seen
  document.addEventListener("click", event => { jump = Boolean(event.target.closest("a[href^='#task=']")); });
  addEventListener("hashchange", () => { if (!location.hash.startsWith("#task=")) return; fromAddress(); if (jump) $("chart").focus(); jump = false; });
  addEventListener("popstate", () => { if (location.hash === "" || location.hash.startsWith("#task=")) fromAddress(); });
  addEventListener("resize", () => draw(current()));
  addEventListener("keydown", event => { if (event.key === "Escape") $("tip").hidden = true; });
  fromAddress();
}

if (D.tasks.length) begin();
if ($("rows")) {
  $("filtering").hidden = false;
  $("filter").addEventListener("input", () => filterRows($("rows"), $("filter").value, $("found")));
  $("allcsv").addEventListener("click", () => saveCsv(allRows(), "benchcast-forecasts.csv"));
}
