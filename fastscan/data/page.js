"use strict";
// The script of a page of results.  Its first half computes limits from the few numbers of a likelihood, as
// fastscan/limits/limits.py does, and needs no browser; its second half are tables that sort, pictures that can be
// enlarged, and sliders.

const LADDER = Array.from({ length: 481 }, (_, n) => 10 ** (-9 + n / 32)); // in units of a row's scale
const HALVINGS = 200; // at most, of a bracket: a double has no more steps between its ends

// ---- Limits

/** Value of a polynomial, the coefficient of the highest power first. */
function polynomial(coefficients, x) {
  return coefficients.reduce((sum, each) => sum * x + each, 0);
}

/** Quantile of the standard normal distribution: Wichura, Applied Statistics 37 (1988) 477, to 1e-16. */
function normalQuantile(p) {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    const above = [2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
      1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.387132872796366608];
    const below = [5.226495278852545925e3, 2.8729085735721942674e4, 3.930789580009271061e4, 2.1213794301586595867e4,
      5.3941960214247511077e3, 6.871870074920579083e2, 4.2313330701600911252e1, 1];
    return (q * polynomial(above, r)) / polynomial(below, r);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const [start, above, below] = r <= 5
    ? [1.6,
      [7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.4178072517745061177e-1, 1.27045825245236838258,
        3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734],
      [1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2, 1.4810397642748007459e-1,
        6.8976733498510000455e-1, 1.6763848301838038494, 2.05319162663775882187, 1]]
    : [5,
      [2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.2426609473880784386e-3, 2.6532189526576123093e-2,
        2.9656057182850489123e-1, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772],
      [2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
        1.4875361290850615025e-2, 1.3692988092273580531e-1, 5.9983220655588793769e-1, 1]];
  return (Math.sign(q) * polynomial(above, r - start)) / polynomial(below, r - start);
}

/** Delta chi2 at a confidence level, for 1 or 2 degrees of freedom. */
function threshold(cl, dof) {
  return dof === 2 ? -2 * Math.log(1 - cl) : normalQuantile((1 - cl) / 2) ** 2;
}

/** A sum of squares in x and its slope, see fastscan/kernels/squares.py. */
function sumAndSlope(c, x) {
  const one = c[0] + x * (c[1] + x * c[2]), two = c[3] + x * c[4];
  const value = one * one + x * x * (two * two + c[5] * x * x);
  const slope = 2 * (one * (c[1] + 2 * x * c[2]) + x * (two * (two + x * c[4]) + 2 * c[5] * x * x));
  return [value, slope];
}

/** chi2 along the strength x in one row and at one setting: what everything below is about. */
function columnOf(likelihood, model, data, number, sigmaSys, luminosity) {
  const row = data.rows[number];
  return {
    row,
    largest: model.largest,
    signed: model.bound === "two-sided",
    members: likelihood.members.map((member, n) => {
      const sigma = member.follows ? sigmaSys : member.sigma_sys;
      return { sums: row.sums[n], noise: 1 / luminosity + data.spread[n], variance: sigma * sigma };
    }),
  };
}

/** chi2 = (S_dd + D t) / (noise + S_mm variance), added up over the members, and its slope in x. */
function chi2AndSlope(column, x) {
  let chi2 = 0, slope = 0;
  for (const { sums, noise, variance } of column.members) {
    const t = variance / noise;
    const [sdd, ofSdd] = sumAndSlope(sums[0], x), [det, ofDet] = sumAndSlope(sums[1], x), [smm, ofSmm] = sumAndSlope(sums[2], x);
    const total = noise + smm * variance, own = (sdd + det * t) / total;
    chi2 += own;
    slope += (ofSdd + ofDet * t) / total - own * (variance * ofSmm / total);
  }
  return [chi2, slope];
}

/** x between two ends at which a function changes its sign. */
function bisected(low, high, value) {
  const below = value(low) > 0;
  for (let n = 0; n < HALVINGS; n += 1) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (value(middle) > 0 === below) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Strengths so close together that between neighbours chi2 turns at most once; 0 is among them. */
function rungsOf(column) {
  const { scale, turning } = column.row;
  const above = LADDER.map((each) => scale * each);
  above.push(column.largest, ...turning.map(Math.abs));
  return Float64Array.from(column.signed ? [0, ...above, ...above.map((x) => -x)] : [0, ...above]).sort();
}

/** Points between which chi2 is monotonic: the rungs and every extremum. */
function monotonicPoints(column) {
  const points = Array.from(rungsOf(column), (x) => [x, ...chi2AndSlope(column, x)]);
  const found = [points[0]];
  points.slice(1).forEach((high, number) => {
    const low = points[number];
    if (low[2] > 0 !== high[2] > 0) {
      const x = bisected(low[0], high[0], (at) => chi2AndSlope(column, at)[1]);
      found.push([x, ...chi2AndSlope(column, x)]);
    }
    found.push(high);
  });
  return found;
}

/** Every x, ascending, at which chi2 passes its infimum + delta, and what else a limit needs to know. */
function crossings(column, delta) {
  const points = monotonicPoints(column);
  const within = points.filter(([x]) => Math.abs(x) <= column.largest).map((each) => each[1]);
  const lowest = Math.min(...points.map((each) => each[1])), level = lowest + delta;
  const x = [];
  points.slice(1).forEach(([high, above], number) => {
    const [low, below] = points[number];
    if (below > level !== above > level) {
      const at = bisected(low, high, (each) => chi2AndSlope(column, each)[0] - level);
      if (Math.abs(at) <= column.largest) x.push(at);
    }
  });
  return {
    x,
    lowest,
    smAllowed: chi2AndSlope(column, 0)[0] <= level,
    flat: Math.max(...within) - Math.min(...within) <= delta,
  };
}

/** Where a strength x is on the axis of a model. */
function onAxis(model, x) {
  return model.unit * Math.sign(x) * Math.abs(x) ** (1 / model.power);
}

/** The limit (or both), its status and every allowed interval, in the unit of the model's axis; null is none or open. */
function limitsOf(column, model, delta) {
  const found = crossings(column, delta);
  const status = found.x.length === 0 && (found.smAllowed || found.flat)
    ? "no_sensitivity" : found.smAllowed ? "ok" : "sm_disfavoured";
  const above = found.x.find((x) => x > 0), below = found.x.findLast((x) => x < 0);
  const sides = (column.signed ? [below, above] : [above])
    .map((x) => (found.smAllowed && x !== undefined ? onAxis(model, x) : null));
  return { limit: sides, status, intervals: intervalsOf(found, column, model), lowest: found.lowest };
}

function intervalsOf(found, column, model) {
  const ends = found.x.map((x) => onAxis(model, x));
  const begins = found.smAllowed !== (found.x.filter((x) => x < 0).length % 2 === 1);
  const falls = model.power < 0;
  const smallest = falls || column.signed ? null : 0, largest = falls ? onAxis(model, column.largest) : null;
  if (begins || (found.flat && ends.length === 0)) ends.unshift(smallest);
  if (ends.length % 2) ends.push(largest);
  if (falls) ends.reverse();
  return ends.filter((_, n) => n % 2 === 0).map((low, n) => [low, ends[2 * n + 1]]);
}

/** The answer for one model of a likelihood at some settings. */
function answer(likelihood, number, { data, row = 0, sigmaSys, luminosity, cl, dof }) {
  const model = likelihood.models[number];
  const column = columnOf(likelihood, model, model.data[data], row, sigmaSys, luminosity);
  return limitsOf(column, model, threshold(cl, dof));
}

// ---- Words and numbers

const SIGNS = [["M_Z'", "M_Z\u2032"], ["sigma_sys", "\u03c3_sys"], ["beta", "\u03b2"], [/^chi$/, "\u03c7"], [/^eta$/, "\u03b7"],
  [/^psi$/, "\u03c8"], [/^lr/, "LR"], [/^e6$/, "E6"], [/^deg$/, "\u00b0"], [/^g'/, "g\u2032"],
  [/^eps\b/, "\u03b5"], [/^mu$/, "\u03bc"]];

function typeset(text) {
  return SIGNS.reduce((now, [word, sign]) => now.replace(word, sign), text);
}

/** Text as nodes, with what follows an underscore of a symbol as its index; in a picture or outside. */
function withIndices(text, inPicture = false) {
  return text.split(/(?<=[M\u03c3])_(Z\u2032|sys)/).map((part, n) => {
    if (n === 0 || (n % 2 === 0 && !inPicture)) return part;
    if (!inPicture) return made("sub", {}, part);
    return drawn("tspan", n % 2 ? { dy: 3, "font-size": "75%" } : { dy: -3 }, part);
  });
}

/** A number with four digits, or as many as are asked for; null is an open end. */
function shown(value, digits = 4) {
  if (value === null) return "\u221e";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [factor, power] = value.toExponential(digits - 1).split("e");
    const raised = power.replace("+", "").replace("-", "\u207b").replace(/\d/g, (each) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[each]);
    return `${String(Number(factor)).replace("-", "\u2212")}\u00b710${raised}`;
  }
  return String(Number(value.toPrecision(digits))).replace("-", "\u2212");
}

function withUnit(text, unit) {
  return unit && unit !== "1" ? `${typeset(text)} [${typeset(unit)}]` : typeset(text);
}

function valueWithUnit(value, unit) {
  return `${shown(value)}${unit === "deg" ? "" : " "}${typeset(unit)}`.trim();
}

function nameOf(model, row) {
  if (model.row === null) return typeset(model.name);
  const { text, unit, values } = model.row;
  return `${typeset(model.name)} at ${typeset(text)} = ${valueWithUnit(values[row], unit)}`;
}

function intervalText([low, high]) {
  return `${low === null ? "\u2212\u221e" : shown(low)} to ${shown(high)}`;
}

// ---- Pictures of limits

const WIDTH = 440, HEIGHT = 300, LEFT = 70, RIGHT = 12, TOP = 14, BOTTOM = 46;

function drawn(tag, attributes, ...children) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

/** An axis: where a value lies between two pixels, and its ticks. */
function axisOf({ label, low, high, log }, first, last) {
  const at = log ? Math.log : (value) => value;
  const place = (value) => first + ((last - first) * (at(value) - at(low))) / (at(high) - at(low));
  return { label, low, high, place, ticks: log ? logTicks(low, high) : linearTicks(low, high) };
}

function logTicks(low, high) {
  const decades = Math.log10(high / low), of = decades > 2.5 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const each of of) found.push(Number((each * 10 ** power).toPrecision(6)));
  }
  return found.filter((value) => value >= low && value <= high);
}

function linearTicks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high * (1 + 1e-9); n += 1) found.push(Number((n * step).toPrecision(6)));
  return found;
}

function frame(label, horizontal, vertical) {
  const x = axisOf(horizontal, LEFT, WIDTH - RIGHT), y = axisOf(vertical, HEIGHT - BOTTOM, TOP);
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const marks = drawn("g", { class: "axes" });
  for (const value of x.ticks) {
    marks.append(drawn("path", { d: `M${x.place(value)} ${HEIGHT - BOTTOM}v5` }));
    marks.append(drawn("text", { x: x.place(value), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, shown(value)));
  }
  for (const value of y.ticks) {
    marks.append(drawn("path", { d: `M${LEFT} ${y.place(value)}h-5` }));
    marks.append(drawn("text", { x: LEFT - 8, y: y.place(value) + 4, "text-anchor": "end" }, shown(value)));
  }
  marks.append(drawn("rect", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM }));
  marks.append(drawn("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, ...withIndices(x.label, true)));
  marks.append(drawn("text", { transform: `translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, ...withIndices(y.label, true)));
  return { picture, marks, x, y };
}

/** A line through points; it is broken where one of them is outside the frame or missing. */
function line(points, { x, y }, kind) {
  let path = "", begun = false;
  for (const [one, other] of points) {
    const inside = other !== null && other >= y.low && other <= y.high;
    if (inside) path += `${begun ? "L" : "M"}${x.place(one).toFixed(1)} ${y.place(other).toFixed(1)}`;
    begun = inside;
  }
  return drawn("path", { d: path, class: kind });
}

/** What lies between allowed intervals and within the range of an axis. */
function excludedWithin(intervals, { low, high }) {
  const ends = [low];
  for (const [begin, end] of intervals) ends.push(begin ?? -Infinity, end ?? Infinity);
  ends.push(high);
  const found = [];
  for (let n = 0; n < ends.length; n += 2) {
    const from = Math.max(ends[n], low), to = Math.min(ends[n + 1], high);
    if (from < to) found.push([from, to]);
  }
  return found;
}

/** The range of a strength's axis that a picture shows around some of its values. */
function rangeAround(values, signed) {
  const low = Math.min(...values), high = Math.max(...values);
  if (!signed) return { low: low / 3, high: high * 3, log: true };
  const margin = 0.5 * (high - low || Math.abs(high) || 1);
  return { low: low - margin, high: high + margin, log: false };
}

function finiteEnds(found) {
  return found.intervals.flat().filter((value) => value !== null && value !== 0);
}

function between(low, high, number, log) {
  return Array.from({ length: number }, (_, n) => {
    const part = n / (number - 1);
    return log ? low * (high / low) ** part : low + (high - low) * part;
  });
}

/** Delta chi2 along the strength, with its threshold and what it excludes. */
function profilePicture(column, model, delta, found, title) {
  const ends = finiteEnds(found), signed = column.signed;
  const natural = Math.abs(onAxis(model, column.row.scale));
  const range = rangeAround(ends.length ? ends : signed ? [-natural, natural] : [natural / 3, natural * 3], signed);
  const name = withUnit(model.axis.text, model.axis.unit);
  const on = frame(title, { label: name, ...range }, { label: "\u0394\u03c7\u00b2", low: 0, high: 4 * delta, log: false });
  for (const [low, high] of excludedWithin(found.intervals, range)) {
    const left = on.x.place(low);
    on.picture.append(drawn("rect", { class: "excluded", x: left, y: TOP, width: on.x.place(high) - left, height: HEIGHT - TOP - BOTTOM }));
  }
  const strength = (value) => Math.sign(value) * (Math.abs(value) / model.unit) ** model.power;
  const values = between(range.low, range.high, 401, range.log);
  const points = values.map((value) => [value, Math.max(0, chi2AndSlope(column, strength(value))[0] - found.lowest)]);
  on.picture.append(line(points, on, "curve"), line([[range.low, delta], [range.high, delta]], on, "level"), on.marks);
  return on.picture;
}

/** Limits against something else: excluded strips, the limit as a line, and the point that is chosen. */
function limitPicture(horizontal, places, answers, chosen, model, title) {
  const ends = answers.flatMap(finiteEnds), signed = model.bound === "two-sided";
  if (ends.length === 0) return null;
  const range = rangeAround(ends, signed);
  const on = frame(title, horizontal, { label: withUnit(model.axis.text, model.axis.unit), ...range });
  const half = (on.x.place(places[1]) - on.x.place(places[0])) / 2;
  answers.forEach((found, n) => {
    const left = Math.max(LEFT, on.x.place(places[n]) - half), right = Math.min(WIDTH - RIGHT, on.x.place(places[n]) + half);
    for (const [low, high] of excludedWithin(found.intervals, range)) {
      const top = on.y.place(high), height = on.y.place(low) - top;
      on.picture.append(drawn("rect", { class: "excluded", x: left, y: top, width: Math.max(0, right - left), height }));
    }
  });
  for (const side of answers[0].limit.keys()) {
    on.picture.append(line(answers.map((found, n) => [places[n], found.limit[side]]), on, "curve"));
    const limit = chosen.found.limit[side], inside = chosen.place >= on.x.low && chosen.place <= on.x.high;
    if (limit !== null && inside) on.picture.append(drawn("circle", { class: "chosen", cx: on.x.place(chosen.place), cy: on.y.place(limit), r: 4.5 }));
  }
  on.picture.append(on.marks);
  return on.picture;
}

// ---- Sliders

function made(tag, properties, ...children) {
  const found = Object.assign(document.createElement(tag), properties);
  found.append(...children);
  return found;
}

let labels = 0;

/** A range and a number that say the same; a number that can't be meant changes nothing. */
function slider(text, own, { low, high, step, log = false, least, most }, changed) {
  const to = log ? Math.log10 : (each) => each, from = log ? (each) => 10 ** each : (each) => each;
  const id = `slider-${(labels += 1)}`;
  const range = made("input", { type: "range", id, min: to(low), max: to(high), step });
  const number = made("input", { type: "number", min: least, max: most, step: "any", ariaLabel: `${text.replace("_", " ")}, as a number` });
  const element = made("div", { className: "control" }, made("label", { htmlFor: id }, ...withIndices(text)), range, number);
  const control = { element, value: own, reset: () => set(own) };
  function set(now) {
    control.value = now;
    range.value = to(Math.max(now, low));
    number.value = Number(now.toPrecision(5));
  }
  range.addEventListener("input", () => { set(Number(from(Number(range.value)).toPrecision(4))); changed(); });
  number.addEventListener("input", () => {
    if (number.value === "" || !number.validity.valid) return;
    control.value = Number(number.value);
    range.value = to(Math.max(control.value, low));
    changed();
  });
  number.addEventListener("change", () => set(control.value));
  set(own);
  return control;
}

/** A list to choose from; its value is the number of what is chosen. */
function choice(text, names, own, changed) {
  const id = `slider-${(labels += 1)}`;
  const select = made("select", { id }, ...names.map((name) => made("option", {}, name)));
  const reset = () => { select.selectedIndex = own; };
  select.addEventListener("change", changed);
  reset();
  return { get value() { return select.selectedIndex; }, reset,
    element: made("div", { className: "control" }, made("label", { htmlFor: id }, ...withIndices(text)), select) };
}

const BOUNDS = { lower: "Lower limits", upper: "Upper limits", "two-sided": "Limits" };

/** The controls of a likelihood, and what they are set to. */
function controlsOf(likelihood, changed) {
  const { models } = likelihood, free = likelihood.members.find((member) => member.follows);
  const own = free ? free.sigma_sys : 0, widest = own > 0.05 ? 0.5 : 20 * own || 0.5;
  const { row = null } = models.find((model) => model.row !== null) ?? {};
  const titles = Object.keys(models[0].data);
  const parts = {
    sigma: slider("\u03c3_sys", own, { low: 0, high: widest, step: widest / 250, least: 0, most: 10 }, changed),
    cl: slider("CL", likelihood.cl, { low: 0.5, high: 0.999, step: 0.001, least: 0.01, most: 0.999999 }, changed),
    luminosity: slider("L/L\u2080", 1, { low: 0.1, high: 1000, step: 0.02, log: true, least: 1e-3, most: 1e6 }, changed),
    dof: choice("dof", ["1", "2"], likelihood.dof - 1, changed),
    data: choice("data", titles, 0, changed),
    row: choice(row ? typeset(row.text) : "", row ? row.values.map((each) => valueWithUnit(each, row.unit)) : [""], 0, changed),
    about: choice("curves of", models.map((model) => typeset(model.name)), 0, changed),
  };
  const useful = Object.entries(parts).filter(([name]) => (name !== "sigma" || free) && (name !== "row" || row));
  const reset = made("button", { type: "button" }, "Reset");
  reset.addEventListener("click", () => { for (const each of Object.values(parts)) each.reset(); changed(); });
  return {
    element: made("div", { className: "controls", role: "group", ariaLabel: `Settings of ${likelihood.label}` },
      ...useful.map(([, each]) => each.element), reset),
    widest: free ? widest : null,
    about: () => parts.about.value,
    settings: () => ({ data: titles[parts.data.value], row: parts.row.value, sigmaSys: parts.sigma.value,
      luminosity: parts.luminosity.value, cl: parts.cl.value, dof: parts.dof.value + 1 }),
  };
}

/** The row of a model at some settings: models without a row parameter have one. */
function settingsOf(model, settings) {
  return model.row === null ? { ...settings, row: 0 } : settings;
}

/** At which level, in which place and of which data a limit is, in words. */
function circumstances({ cl, dof, sigmaSys, luminosity, data }) {
  return `${shown(100 * cl, 6)} % CL, ${dof} dof; \u03c3_sys = ${shown(sigmaSys)}, L/L\u2080 = ${shown(luminosity)}, data: ${data}`;
}

function captionOf(likelihood, settings) {
  const { bound, axis } = likelihood.models[0], text = typeset(axis.text), delta = shown(threshold(settings.cl, settings.dof), 6);
  return `${BOUNDS[bound]} on ${text} of ${likelihood.label} at ${circumstances(settings)}. `
    + `Method: \u0394\u03c7\u00b2, \u03c7\u00b2 minus its infimum over all ${text}, compared with ${delta}, a quantile of the \u03c7\u00b2 distribution.`;
}

/** The row of the table of limits that belongs to a model. */
function tableRow(model, settings, { limit, status, intervals }) {
  const cells = [
    ...limit.map((each) => [each === null ? "\u2013" : shown(each, 5), "number"]),
    [intervals.map(intervalText).join("; ") || "none", ""],
    [status.replace("sm_", "SM ").replace("_", " "), ""],
  ];
  return made("tr", {}, made("th", { scope: "row" }, ...withIndices(nameOf(model, settings.row))),
    ...cells.map(([text, className]) => made("td", { className }, text)));
}

/** Delta chi2, and the limit against each setting that a slider moves along, of the chosen model. */
function picturesOf(likelihood, number, settings, found, widest) {
  const model = likelihood.models[number], { data, row, sigmaSys, luminosity, cl, dof } = settings;
  const words = `${likelihood.label}, ${nameOf(model, row)}, at ${circumstances(settings)}`;
  const column = columnOf(likelihood, model, model.data[data], row, sigmaSys, luminosity);
  const pictures = [profilePicture(column, model, threshold(cl, dof), found, `\u0394\u03c7\u00b2 of ${words}`)];
  const against = (horizontal, places, change, place) => {
    const answers = places.map((each, n) => answer(likelihood, number, { ...settings, ...change(each, n) }));
    const title = `Limit of ${words}, against ${horizontal.label}`;
    pictures.push(limitPicture(horizontal, places, answers, { place, found }, model, title));
  };
  if (widest !== null) {
    const horizontal = { label: "\u03c3_sys", low: 0, high: widest, log: false };
    against(horizontal, between(0, widest, 61, false), (each) => ({ sigmaSys: each }), sigmaSys);
  }
  if (model.row !== null && model.row.values.length > 1) {
    const { values, text, unit } = model.row, low = values[0], high = values.at(-1);
    const horizontal = { label: withUnit(text, unit), low, high, log: low > 0 && high / low > 30 };
    against(horizontal, values, (_, n) => ({ row: n }), values[row]);
  }
  return pictures.filter(Boolean);
}

/** What a reader of the limits must know. */
function remarksOn(likelihood, settings, answers) {
  const said = ["Excluded regions are shaded. The threshold is dashed. The circle marks the chosen settings."];
  if (settings.data === "measured" && settings.luminosity !== 1) {
    said.push("A luminosity other than 1 also multiplies measured data, with their deficit or excess.",
      "For the expected limit of a longer run, choose the SM prediction as data.");
  }
  if (settings.sigmaSys > 1) said.push("\u03c3_sys is above 1: it is a relative error, 0.2 stands for 20 %.");
  likelihood.models.forEach((model, n) => {
    const lightest = onAxis(model, model.largest);
    const beyond = (end) => end < model.form_ends_at && end > lightest * (1 + 1e-9);
    if (model.form_ends_at !== null && finiteEnds(answers[n]).some(beyond)) said.push(`${typeset(model.name)}: ${typeset(model.form_ends)}.`);
  });
  return said.join(" ");
}

/** The sliders of one likelihood, its limits and its curves, all of which follow the settings. */
function fillSliders(place, likelihood) {
  const { models, label } = likelihood, { axis, bound } = models[0];
  const controls = controlsOf(likelihood, show);
  const caption = made("div", { ariaLive: "polite" }), body = made("tbody", {});
  const headings = ["model", ...(bound === "two-sided" ? ["lower", "upper"] : ["limit"]).map((each) => withUnit(each, axis.unit)), "allowed", "status"];
  const head = made("thead", {}, made("tr", {}, ...headings.map((text) => made("th", { scope: "col" }, text))));
  const table = made("table", { className: "limits" }, made("caption", {}, caption), head, body);
  const remarks = made("p", { className: "small" }), pictures = made("div", { className: "pictures" });
  const region = made("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Limits of ${label}` }, table);
  place.replaceChildren(controls.element, region, remarks, pictures);

  function show() {
    const settings = controls.settings(), each = models.map((model) => settingsOf(model, settings));
    const answers = models.map((_, n) => answer(likelihood, n, each[n]));
    const about = controls.about();
    caption.replaceChildren(...withIndices(captionOf(likelihood, settings)));
    body.replaceChildren(...models.map((model, n) => tableRow(model, each[n], answers[n])));
    remarks.replaceChildren(...withIndices(remarksOn(likelihood, settings, answers)));
    pictures.replaceChildren(...picturesOf(likelihood, about, each[about], answers[about], controls.widest));
  }

  show();
}

// ---- Tables and pictures of the page

/** Order of two cells: numbers by their values, text by its letters, and what is missing last either way. */
function compared(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other), "en", { numeric: true });
}

function valueOf(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text === "\u2013" ? null : text;
}

function sortBy(table, header, number) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const each of table.querySelectorAll("thead th")) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [valueOf(row.cells[number]), row]);
  rows.sort((one, other) => compared(one[0], other[0], descending ? -1 : 1));
  body.append(...rows.map((each) => each[1]));
}

/** Headers become buttons here, because without a script nothing sorts. */
function makeSortable(table) {
  Array.from(table.querySelectorAll("thead tr:last-child th"), (header, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.querySelector("span").childNodes);
    header.firstElementChild.replaceWith(button);
    button.addEventListener("click", () => sortBy(table, header, number));
    if (Array.from(table.tBodies[0].rows).some((row) => row.cells[number].dataset.value !== undefined)) {
      header.classList.add("number");
    }
  });
}

function makeEnlargeable(button, dialog) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), shown = dialog.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    dialog.showModal();
  });
}

/** The entry of the contents whose section is read is marked: that of the last one that has begun. */
function followReading(links) {
  const places = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const begun = places.findLastIndex((place) => place.getBoundingClientRect().top < 80);
    links.forEach((link, n) => (n === begun ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  };
  document.addEventListener("scroll", mark, { passive: true });
  mark();
}

if (typeof document !== "undefined") {
  const dialog = document.querySelector("dialog");
  dialog.addEventListener("click", (event) => event.target.closest("form") || dialog.close());
  followReading(Array.from(document.querySelectorAll("nav a")));
  document.querySelectorAll("table.sorted").forEach(makeSortable);
  const likelihoods = JSON.parse(document.getElementById("likelihoods").textContent);
  for (const place of document.querySelectorAll(".sliders")) fillSliders(place, likelihoods[Number(place.dataset.likelihood)]);
  document.querySelectorAll("button.enlarge").forEach((button) => makeEnlargeable(button, dialog));
}
