"use strict";
/* The report's page. Its data are made by bench/report/page/data.py; the address holds its state.

   Parts: elements, state, what is chosen, arithmetic (the same as bench/report/choosing.py and
   bench/report/comparison.py), text, details, tables, plots, views. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const MIB = 2 ** 20;
  const DASH = "—";
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7B5EA7", "#999999"];
  const MOST_ROWS = 300; // more are shown on demand: nobody reads them, and they take time

  // ------------------------------------------------------------------------------ elements

  const $ = (id) => document.getElementById(id);

  /** An element; attributes that are functions are listeners, nothing else is special. */
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(key, value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  const unique = (values) => [...new Set(values)];

  function say(text) {
    $("said").textContent = text;
  }

  // --------------------------------------------------------------------------------- state

  const VIEWS = {
    choose: "Choose",
    rank: "Rank",
    compare: "Compare",
    history: "History",
    tables: "Tables",
    records: "Records",
  };
  const DEFAULTS = { view: "choose", dataset: "coco_val2017", table: "table5", only: "yes" };
  let state = {};

  function readAddress() {
    state = { ...DEFAULTS, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
    if (!(state.view in VIEWS)) state.view = DEFAULTS.view;
    if (!(state.dataset in data.datasets)) state.dataset = DEFAULTS.dataset;
  }

  function address(changes = {}) {
    const left = Object.entries({ ...state, ...changes }).filter(([key, value]) => value && value !== DEFAULTS[key]);
    return `#${new URLSearchParams(left)}`;
  }

  /** Change some of the state, the address with it, and draw what follows from it. */
  function change(changes) {
    const target = address(changes);
    if (changes.view && changes.view !== state.view) history.pushState(null, "", target);
    else history.replaceState(null, "", target);
    readAddress();
    draw();
  }

  // ------------------------------------------------------------------------ what is chosen

  /** The fields of a choice in the order in which one narrows the next; "all" where several may stand together. */
  const FIELDS = [
    { key: "machine", label: "Machine", of: (s) => s.machine, usual: (values) => values[0] },
    {
      key: "device",
      label: "Device",
      of: (s) => s.device,
      usual: (values) => (values.includes("cpu") ? "cpu" : values[0]),
    },
    { key: "gpu", label: "GPU", of: (s) => s.gpu, usual: (values) => values[0] },
    {
      key: "input",
      label: "Input",
      of: (s) => s.input,
      usual: (values) => (values.includes("256x192") ? "256x192" : values[0]),
    },
    {
      key: "batch",
      label: "Batch",
      of: (s) => String(s.batch),
      usual: (values) => (values.includes("1") ? "1" : values[0]),
    },
    {
      key: "precision",
      label: "Precision",
      all: "every precision",
      of: (s) => s.precision,
      usual: (values) => (values.includes("fp32") ? "fp32" : "all"),
    },
    { key: "backend", label: "Runtime", all: "every runtime", of: (s) => s.backend, usual: () => "all" },
    {
      key: "threads",
      label: "Threads",
      of: (s) => String(s.threads),
      usual: (values, left) => {
        const usual = left.filter((s) => s.usual).map((s) => s.threads);
        return String(Math.max(...(usual.length ? usual : left.map((s) => s.threads))));
      },
    },
  ];

  /** Each field's possible values and its value, given wanted ones; and the settings that are left. */
  function narrow(wanted, fields = FIELDS) {
    let left = data.settings.map((setting, index) => ({ ...setting, index }));
    const found = {};
    for (const field of fields) {
      const values = unique(left.map(field.of));
      if (!values.length) {
        found[field.key] = { values: [], value: "" };
        continue;
      }
      const ask = wanted[field.key];
      const known = values.includes(ask) || (field.all && ask === "all");
      const value = known ? ask : field.usual(values, left);
      found[field.key] = { values: field.all ? ["all", ...values] : values, value };
      if (value !== "all") left = left.filter((setting) => field.of(setting) === value);
    }
    return { fields: found, left };
  }

  /** The speeds of some settings: of several of one network in one setting, the best protocol's newest. */
  function pick(settings, set = "") {
    const wanted = new Set(settings.map((setting) => setting.index));
    const best = new Map();
    const rank = (one) => {
      const place = data.protocols.indexOf(one.protocol);
      return place < 0 ? data.protocols.length : place;
    };
    for (const one of data.speeds) {
      if (!wanted.has(one.setting) || (set && one.set !== set)) continue;
      const key = `${one.setting} ${one.model}`;
      const known = best.get(key);
      if (
        !known ||
        rank(one) < rank(known) ||
        (rank(one) === rank(known) && Date.parse(one.at) > Date.parse(known.at))
      ) {
        best.set(key, one);
      }
    }
    return [...best.values()];
  }

  function chosen() {
    const { fields, left } = narrow(state);
    const joints = data.datasets[state.dataset].joints;
    const settings = left.filter((setting) => setting.joints === joints);
    return { fields, settings, speeds: pick(settings) };
  }

  const settingOf = (one) => data.settings[one.setting];
  const ms = (one) => 1000 / one.fps;
  const msInterval = (one) => (one.fps_interval ? [1000 / one.fps_interval[1], 1000 / one.fps_interval[0]] : null);
  const accuracyOf = (one) => {
    const found = (one.ap || {})[state.dataset];
    return found ? { value: found[0], origin: found[1], record: found[2] } : null;
  };
  const runtimeOf = (one) => {
    const { backend, precision } = settingOf(one);
    return ["fp32", "int8"].includes(precision) ? backend : `${backend} ${precision}`;
  };

  // ---------------------------------------------------------------------------- arithmetic

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  function compareLists(a, b) {
    for (let index = 0; index < a.length; index++) {
      const found = compare(a[index], b[index]);
      if (found) return found;
    }
    return 0;
  }

  /** A latency or a size as one reads it: three digits. */
  const short = (value) => value.toFixed(value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0);
  const plain = (value) => String(Number(Number(value).toPrecision(6)));

  /** Whether a network keeps within limits, and why not. */
  function judge(one, limits) {
    const out = [];
    const maybe = [];
    const interval = msInterval(one);
    if (limits.ms !== null) {
      const took = `${short(ms(one))} ms${interval ? ` (${short(interval[0])} to ${short(interval[1])})` : ""}`;
      if ((interval ? interval[0] : ms(one)) > limits.ms) out.push(`${took} is above ${plain(limits.ms)} ms`);
      else if (!interval) maybe.push(`${took} has no interval: measure it in 3 sets or more`);
      else if (interval[1] > limits.ms) maybe.push(`${took} reaches ${plain(limits.ms)} ms`);
    }
    if (limits.ap !== null) {
      const accuracy = accuracyOf(one);
      if (!accuracy) {
        out.push(`no AP is known on ${state.dataset}${settingOf(one).precision === "int8" ? " in int8" : ""}`);
      } else if (accuracy.value < limits.ap) {
        const whose = { paper: ", the paper's,", publisher: ", its publisher's," }[accuracy.origin] || "";
        out.push(`AP ${accuracy.value.toFixed(1)}${whose} is below ${plain(limits.ap)}`);
      }
    }
    for (const [value, limit, what] of [
      [one.file_bytes, limits.mib, "file"],
      [one.memory_bytes, limits.memory, "memory"],
    ]) {
      if (limit === null) continue;
      if (value === undefined) out.push(`its ${what} was not recorded`);
      else if (value / MIB > limit) out.push(`${what} of ${short(value / MIB)} MiB is above ${plain(limit)} MiB`);
    }
    return { verdict: out.length ? "out" : maybe.length ? "maybe" : "fits", reasons: out.length ? out : maybe };
  }

  /** Whether nothing else is at least as accurate and faster: yes, maybe (intervals overlap), no. */
  function onFront(one, others) {
    const mine = accuracyOf(one);
    if (!mine) return "no";
    let front = "yes";
    const interval = msInterval(one);
    const [low, high] = interval || [ms(one), ms(one)];
    for (const other of others) {
      const theirs = accuracyOf(other);
      if (other === one || !theirs || theirs.value < mine.value) continue;
      const their = msInterval(other);
      const known = interval !== null && their !== null;
      if (known && their[1] < low) return "no";
      if (known ? their[0] <= high : ms(other) <= ms(one)) front = "maybe";
    }
    return front;
  }

  function choices(speeds, limits, best) {
    const judged = speeds.map((one) => ({ one, ...judge(one, limits) }));
    const remain = judged.filter((choice) => choice.verdict !== "out").map((choice) => choice.one);
    for (const choice of judged) choice.front = choice.verdict === "out" ? "no" : onFront(choice.one, remain);
    const order = ({ one, verdict }) => {
      const accuracy = accuracyOf(one);
      const ap = accuracy ? -accuracy.value : 0;
      const first = { ap, latency: ms(one), size: one.file_bytes, memory: one.memory_bytes }[best];
      const unknown = first === undefined || (best === "ap" && !accuracy);
      return [
        ["fits", "maybe", "out"].indexOf(verdict),
        Number(unknown),
        first || 0,
        ms(one),
        ap,
        one.model,
        settingOf(one).backend,
        settingOf(one).precision,
      ];
    };
    return judged.sort((a, b) => compareLists(order(a), order(b)));
  }

  /** The t that Student's distribution of whole degrees of freedom stays below (bench.timing.intervals). */
  function studentQuantile(probability, degrees) {
    let low = 0;
    let high = Math.PI / 2;
    for (let step = 0; step < 80; step++) {
      const middle = (low + high) / 2;
      const sine = Math.sin(middle);
      const cosine = Math.cos(middle);
      // As there: the terms of Abramowitz and Stegun's sums, each made from the one before.
      let [term, total] = degrees % 2 ? [cosine, 0] : [1, 0];
      for (let power = 2 + (degrees % 2); power <= degrees; power += 2) {
        total += term;
        term *= (cosine * cosine * (power - 1)) / power;
      }
      const central = degrees % 2 ? (2 / Math.PI) * (middle + sine * total) : sine * total;
      if ((1 + central) / 2 < probability) low = middle;
      else high = middle;
    }
    return Math.sqrt(degrees) * Math.tan((low + high) / 2);
  }

  /** Ratio of mean latencies, second to first, with Welch's interval of the logarithms of the sets' means. */
  function ratio(first, second) {
    if (!first.logs || !second.logs) return null;
    const [meanA, varianceA, countA] = first.logs;
    const [meanB, varianceB, countB] = second.logs;
    const difference = meanB - meanA;
    if (Math.min(countA, countB) < 3) return { ratio: Math.exp(difference), low: null, high: null };
    const shares = [varianceA / countA, varianceB / countB];
    const error = Math.sqrt(shares[0] + shares[1]);
    if (error === 0) return { ratio: Math.exp(difference), low: Math.exp(difference), high: Math.exp(difference) };
    const degrees = (shares[0] + shares[1]) ** 2 / (shares[0] ** 2 / (countA - 1) + shares[1] ** 2 / (countB - 1));
    const wide = studentQuantile(0.975, Math.max(1, Math.floor(degrees))) * error;
    return { ratio: Math.exp(difference), low: Math.exp(difference - wide), high: Math.exp(difference + wide) };
  }

  function verdictOf(found) {
    if (!found) return "not known: no rounds are recorded";
    if (found.low === null) return "may differ: needs 3 sets in each";
    if (found.high < 1 || found.low > 1) return `differs for sure: ${found.ratio > 1 ? "slower" : "faster"}`;
    if (Math.max(found.high - 1, 1 - found.low) <= 0.01) return "no difference seen";
    return "may differ";
  }

  /** Whether two speeds differ by more than their intervals; without an interval nobody knows. */
  function apart(one, other) {
    if (!one.fps_interval || !other.fps_interval) return false;
    return Math.max(one.fps_interval[0], other.fps_interval[0]) > Math.min(one.fps_interval[1], other.fps_interval[1]);
  }

  /** The networks that are faster than one in the first runtime and slower in the second: for sure, and perhaps. */
  function overtaken(model, before, after) {
    const find = (speeds, name) => speeds.find((one) => one.model === name);
    const [mineBefore, mine] = [find(before, model), find(after, model)];
    const found = { sure: [], perhaps: [] };
    if (!mineBefore || !mine) return found;
    for (const theirsBefore of before) {
      const theirs = find(after, theirsBefore.model);
      if (!theirs || !(mineBefore.fps < theirsBefore.fps && mine.fps > theirs.fps)) continue;
      (apart(mineBefore, theirsBefore) && apart(mine, theirs) ? found.sure : found.perhaps).push(theirs.label);
    }
    return found;
  }

  function passes({ sure, perhaps }) {
    return [sure.length ? `passes ${sure.join(", ")}` : "", perhaps.length ? `perhaps ${perhaps.join(", ")}` : ""]
      .filter(Boolean)
      .join("; ");
  }

  // ---------------------------------------------------------------------------------- text

  /** A metric as bench.core.metrics prints it, with its unit. */
  function metricText(key, value) {
    const metric = data.metrics[key];
    const shown = metric.times !== 1 ? value * metric.times : value / metric.per;
    return `${shown.toFixed(metric.decimals)}${metric.unit ? ` ${metric.unit}` : ""}`;
  }

  const mib = (bytes, decimals) => (bytes === undefined ? "" : (bytes / MIB).toFixed(decimals));
  const day = (text) => text.slice(0, 10);
  const minute = (text) => `${text.slice(0, 16).replace("T", " ")} UTC`;

  function commandOf(record) {
    return record.command || (data.runs[record.run] || {}).command || "";
  }

  /** What one sees when the pointer rests on a figure: its record in a few lines. */
  function summary(id) {
    const record = data.records[id];
    if (!record) return [];
    const told = record.metrics;
    const lines = [
      `${id}: ${record.model}${record.backend ? `, ${record.backend}` : ""}${record.precision ? `, ${record.precision}` : ""}`,
    ];
    if (told.fps !== undefined) {
      const one = {
        fps: told.fps,
        // As bench.report.measured.interval: rounds of one process say nothing of others.
        fps_interval:
          told.fps_ci95_low === undefined || record.sets === 1 ? null : [told.fps_ci95_low, told.fps_ci95_high],
      };
      const interval = msInterval(one);
      lines.push(
        `${short(ms(one))} ms${interval ? `, 95 % interval ${short(interval[0])} to ${short(interval[1])} ms` : ", no interval"}`,
      );
      lines.push(
        `${told.fps.toFixed(1)} a second${one.fps_interval ? `, ${one.fps_interval.map((end) => end.toFixed(1)).join(" to ")}` : ""}`,
      );
    } else {
      for (const key of ["params", "macs_mmcv", "ap", "ar", "pckh", "latency_ms_measured", "ratio"]) {
        if (told[key] !== undefined) lines.push(`${data.metrics[key].label}: ${metricText(key, told[key])}`);
      }
    }
    for (const warning of record.warnings || []) lines.push(`Warning: ${warning}`);
    lines.push(commandOf(record));
    return lines.filter(Boolean);
  }

  /** Text broken into lines for a hover label of a plot. */
  function hover(lines, width = 64) {
    const broken = lines.flatMap((line) => line.match(new RegExp(`.{1,${width}}(\\s|$)|\\S{${width}}`, "g")) || [line]);
    return broken.map((line) => line.trim().replace(/&/g, "&amp;").replace(/</g, "&lt;")).join("<br>");
  }

  // ------------------------------------------------------------------------------- details

  function showDetails(ids) {
    const body = $("details-body");
    body.replaceChildren(...ids.map(detailsOf));
    const heading = ids.length === 1 ? ids[0] : `${ids.length} records`;
    $("details-title").textContent = heading;
    $("details").showModal();
    $("details").scrollTop = 0;
  }

  function detailsOf(id) {
    const record = data.records[id];
    const list = el("dl");
    const add = (term, value) => list.append(el("dt", {}, term), el("dd", {}, value));
    const run = data.runs[record.run] || {};
    add("network", record.model);
    for (const key of ["backend", "device", "precision", "batch", "input", "threads", "dataset", "weights", "seed"]) {
      if (record[key] !== undefined)
        add(key === "backend" ? "runtime" : key === "dataset" ? "data set" : key, String(record[key]));
    }
    add("machine", run.machine || record.machine);
    add(
      "protocol",
      [record.protocol, record.sets && `${record.sets} sets`, record.rounds && `${record.rounds} rounds`]
        .filter(Boolean)
        .join(", "),
    );
    for (const warning of record.warnings || []) add("warning", warning);
    add("command", el("code", {}, commandOf(record)));
    if (run.software) add("software", run.software);
    add("started", minute(record.at));
    for (const [key, value] of Object.entries(record.metrics)) {
      add(data.metrics[key].label + (/_(low|high|p\d+)$/.test(key) ? ` (${key})` : ""), metricText(key, value));
    }
    return el("section", { "data-record": id }, el("h3", {}, id), list);
  }

  // -------------------------------------------------------------------------------- tables

  /* A table is {columns: [{id, title, group, words}], rows: [{cells, section, highlight, records, name}]}.
   A cell is {v: [[text, origin]], d: detail, t: tags, n: marks, hit, r: records, sort} or nothing. */

  const ORIGIN_TITLE = { p: "printed in the paper", u: "its publisher's" };

  const cell = (text, origin = "", more = {}) => ({ v: [[String(text), origin]], ...more });

  function sortValue(found) {
    if (!found || !found.v || !found.v.length) return null;
    if (found.sort !== undefined) return found.sort;
    const text = found.v[0][0];
    const number = Number(text.replace(/[,+ ]/g, ""));
    return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
  }

  function cellNodes(found) {
    if (!found || !found.v || !found.v.length) return [el("span", { class: "none", title: "no such number" }, DASH)];
    const nodes = [];
    found.v.forEach(([text, origin], index) => {
      if (index) nodes.push(el("span", { class: "quiet" }, " / "));
      if (text || origin !== "-")
        nodes.push(
          el("span", { class: origin === "-" ? "none" : origin, title: ORIGIN_TITLE[origin] }, breakable(text)),
        );
      else nodes.push(el("span", { class: "none" }, DASH));
    });
    if (found.hit) nodes.push(el("span", { class: "hit", title: "prints the paper's digits" }, " ✓"));
    for (const tag of found.t || []) nodes.push(" ", el("span", { class: "tag" }, tag));
    if (found.n && found.n.length) nodes.push(el("sup", {}, found.n.join(",")));
    if (found.d) nodes.push(el("span", { class: "detail" }, found.d));
    return nodes;
  }

  /** A name that may go on in the next line after each of its parts. */
  function breakable(text) {
    const parts = text.split(/(?<=[_:/])/);
    return parts.flatMap((part, index) => (index ? [document.createElement("wbr"), part] : [part]));
  }

  function cellText(found) {
    if (!found || !found.v || !found.v.length) return "";
    const values = found.v.map(([text, origin]) => (text || origin !== "-" ? text : DASH)).join(" / ");
    return values + (found.d ? ` (${found.d})` : "") + (found.t || []).map((tag) => ` ${tag}`).join("");
  }

  /** A table with its tools: filter, columns, copies. Its sort, filter and hidden columns are part of the address. */
  class TableView {
    constructor(id, name) {
      this.id = id;
      this.name = name;
      this.all = false;
      this.find = el("input", {
        type: "search",
        id: `find-${id}`,
        placeholder: "Filter rows",
        "aria-label": `Filter the rows of ${name}`,
        input: () => this.remember("find", this.find.value),
      });
      this.menu = el("div", { class: "menu" });
      this.columns = el("details", { class: "columns" }, el("summary", {}, "Columns"), this.menu);
      this.count = el("span", { class: "quiet", role: "status" });
      this.head = el("thead");
      this.body = el("tbody", { click: (event) => this.open(event), mouseover: (event) => this.explain(event) });
      this.table = el("table", {}, this.head, this.body);
      const copies = ["Markdown", "LaTeX", "CSV"].map((form) =>
        el(
          "button",
          { type: "button", "data-copy": form, click: () => copyText(this.as(form), `${this.name} as ${form}`) },
          form,
        ),
      );
      const tools = el(
        "div",
        { class: "tools" },
        this.find,
        this.columns,
        el(
          "span",
          { class: "copies", role: "group", "aria-label": "Copy the table" },
          el("span", { class: "quiet" }, "Copy as"),
          copies,
        ),
        this.count,
      );
      this.more = el("button", {
        type: "button",
        hidden: true,
        click: () => {
          this.all = true;
          this.fill();
        },
      });
      this.scroll = el("div", { class: "scroll", role: "region", "aria-label": name, tabindex: "0" }, this.table);
      this.node = el("div", { class: "table", id: `table-${id}` }, tools, this.scroll, this.more);
      document.addEventListener("click", (event) => {
        if (!this.columns.contains(event.target)) this.columns.open = false;
      });
      this.columns.addEventListener("keydown", (event) => {
        if (event.key === "Escape") {
          this.columns.open = false;
          this.columns.firstChild.focus();
        }
      });
    }

    remember(what, value) {
      const key = `${what}.${this.id}`;
      history.replaceState(null, "", address({ [key]: value }));
      readAddress();
      this.fill();
    }

    get hidden() {
      return new Set((state[`hide.${this.id}`] || "").split(",").filter(Boolean));
    }

    get sort() {
      const [, key, way] = /^(.*)\.(up|down)$/.exec(state[`sort.${this.id}`] || "") || [];
      return key && this.spec.columns.some((column) => column.id === key)
        ? { key, way: way === "down" ? -1 : 1 }
        : null;
    }

    update(spec) {
      this.spec = spec;
      const same = JSON.stringify([spec.columns, spec.name]);
      if (same !== this.shown) {
        this.shown = same;
        this.all = false;
        this.fillMenu();
      }
      if (spec.name) {
        this.name = spec.name;
        this.scroll.setAttribute("aria-label", spec.name);
        this.find.setAttribute("aria-label", `Filter the rows of ${spec.name}`);
      }
      if (document.activeElement !== this.find) this.find.value = state[`find.${this.id}`] || "";
      this.fill();
    }

    fillMenu() {
      this.menu.replaceChildren(
        ...this.spec.columns.map((column) =>
          el(
            "label",
            {},
            el("input", {
              type: "checkbox",
              value: column.id,
              change: (event) => {
                const hidden = this.hidden;
                if (event.target.checked) hidden.delete(column.id);
                else hidden.add(column.id);
                this.remember("hide", [...hidden].join(","));
              },
            }),
            ` ${column.group ? `${column.group}: ` : ""}${column.title}`,
          ),
        ),
      );
    }

    get visible() {
      const hidden = this.hidden;
      const found = this.spec.columns
        .map((column, index) => ({ ...column, index }))
        .filter((column) => !hidden.has(column.id));
      return found.length ? found : [{ ...this.spec.columns[0], index: 0 }];
    }

    get rows() {
      const wanted = (state[`find.${this.id}`] || "").toLowerCase().split(/\s+/).filter(Boolean);
      const text = (row) => (row.text ||= [row.section || "", ...row.cells.map(cellText)].join(" ").toLowerCase());
      const rows = this.spec.rows.filter((row) => wanted.every((word) => text(row).includes(word)));
      const { sort } = this;
      if (!sort) return rows;
      const index = this.spec.columns.findIndex((column) => column.id === sort.key);
      const keyed = rows.map((row) => [sortValue(row.cells[index]), row]);
      // Numbers before words, nothing last, whichever way.
      return keyed
        .sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
          return sort.way * compare(a, b);
        })
        .map(([, row]) => row);
    }

    fill() {
      const { hidden, sort, visible, rows } = this;
      for (const box of this.menu.querySelectorAll("input")) box.checked = !hidden.has(box.value);
      this.fillHead(visible, sort);
      const shown = this.all ? rows : rows.slice(0, MOST_ROWS);
      let section = "";
      const made = [];
      shown.forEach((row) => {
        if (!sort && row.section && row.section !== section) {
          made.push(
            el(
              "tr",
              { class: "section" },
              el("th", { colspan: visible.length, scope: "rowgroup" }, el("span", {}, row.section)),
            ),
          );
        }
        section = row.section;
        made.push(this.rowNode(row, visible));
      });
      if (!rows.length)
        made.push(
          el("tr", {}, el("td", { colspan: visible.length, class: "quiet" }, "No row has all of these words.")),
        );
      this.body.replaceChildren(...made);
      this.body.rows_shown = shown;
      this.more.hidden = shown.length === rows.length;
      this.more.textContent = `Show all ${rows.length} rows`;
      this.count.textContent = `${rows.length} of ${this.spec.rows.length} rows`;
    }

    fillHead(visible, sort) {
      const active =
        document.activeElement && this.head.contains(document.activeElement)
          ? document.activeElement.dataset.sort
          : null;
      const heading = (column) =>
        el(
          "th",
          {
            scope: "col",
            class: column.words ? "" : "number",
            "aria-sort": sort && sort.key === column.id ? (sort.way > 0 ? "ascending" : "descending") : undefined,
          },
          el(
            "button",
            { type: "button", "data-sort": column.id, title: "Sort by this column", click: () => this.turn(column) },
            column.title,
          ),
        );
      const rows = [];
      if (visible.some((column) => column.group)) {
        const groups = [];
        for (const column of visible) {
          const last = groups[groups.length - 1];
          if (last && last.title === (column.group || "")) last.span++;
          else groups.push({ title: column.group || "", span: 1 });
        }
        rows.push(
          el(
            "tr",
            { class: "groups" },
            groups.map(({ title, span }) =>
              title ? el("th", { colspan: span, scope: "colgroup" }, title) : el("td", { colspan: span }),
            ),
          ),
        );
      }
      rows.push(el("tr", {}, visible.map(heading)));
      this.head.replaceChildren(...rows);
      if (active) {
        const button = [...this.head.querySelectorAll("[data-sort]")].find((one) => one.dataset.sort === active);
        if (button) button.focus();
      }
    }

    /** Sorted up, down, and as it was. Numbers of which more is better begin with the largest. */
    turn(column) {
      const { sort } = this;
      const first = column.down ? "down" : "up";
      const second = column.down ? "up" : "down";
      const now = sort && sort.key === column.id ? (sort.way > 0 ? "up" : "down") : "";
      this.remember("sort", now === "" ? `${column.id}.${first}` : now === first ? `${column.id}.${second}` : "");
    }

    rowNode(row, visible) {
      const records = unique([...(row.records || []), ...row.cells.flatMap((found) => (found && found.r) || [])]);
      const cells = visible.map((column, place) => {
        const found = row.cells[column.index];
        const nodes = cellNodes(found);
        if (place === 0) {
          const info = records.length
            ? el(
                "button",
                {
                  type: "button",
                  class: "info",
                  "aria-label": `Records of ${row.name || cellText(row.cells[0])}`,
                  "data-records": records.join(" "),
                },
                "i",
              )
            : "";
          return el(
            "th",
            { scope: "row", "data-column": column.id },
            el("span", { class: "rowhead" }, el("span", {}, nodes), info),
          );
        }
        return el(
          "td",
          {
            class: column.words ? "words" : "number",
            "data-column": column.id,
            "data-records": found && found.r && found.r.length ? found.r.join(" ") : undefined,
          },
          nodes,
        );
      });
      return el(
        "tr",
        { class: row.highlight ? "highlight" : undefined, "data-name": row.name, "data-key": row.key },
        cells,
      );
    }

    open(event) {
      const button = event.target.closest("button.info");
      if (button) showDetails(button.dataset.records.split(" "));
    }

    explain(event) {
      const found = event.target.closest("td[data-records]");
      if (found && !found.title)
        found.title = found.dataset.records
          .split(" ")
          .map((id) => summary(id).join("\n"))
          .join("\n\n");
    }

    as(form) {
      const { visible, rows } = this;
      const headings = visible.map((column) => (column.group ? `${column.group}: ${column.title}` : column.title));
      const lines = rows.map((row) => visible.map((column) => row.cells[column.index]));
      if (form === "CSV") {
        const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
        return (
          [headings, ...lines.map((line) => line.map(cellText))].map((line) => line.map(quoted).join(",")).join("\n") +
          "\n"
        );
      }
      if (form === "Markdown") {
        const escaped = (text) => text.replace(/([\\|*_`<>[\]])/g, "\\$1");
        const styled = (found) => escaped(cellText(found)) && styledText(found, escaped, { m: "**", p: "*", u: "*" });
        return (
          [
            headings.map(escaped),
            visible.map((column) => (column.words ? "---" : "---:")),
            ...lines.map((line) => line.map(styled)),
          ]
            .map((line) => `| ${line.join(" | ")} |`)
            .join("\n") + "\n"
        );
      }
      const styled = (found) =>
        styledText(found, latex, { m: ["\\textbf{", "}"], p: ["\\textit{", "}"], u: ["\\textit{", "}"] });
      const body = [headings.map(latex), ...lines.map((line) => line.map(styled))].map(
        (line) => `${line.join(" & ")} \\\\`,
      );
      return [
        "% needs \\usepackage{booktabs}",
        `\\begin{tabular}{${visible.map((column) => (column.words ? "l" : "r")).join("")}}`,
        "\\toprule",
        body[0],
        "\\midrule",
        ...body.slice(1),
        "\\bottomrule",
        "\\end{tabular}",
        "",
      ].join("\n");
    }
  }

  function styledText(found, escaped, styles) {
    if (!found || !found.v || !found.v.length) return "";
    const values = found.v.map(([text, origin]) => {
      const style = styles[origin];
      const [before, after] = Array.isArray(style) ? style : [style || "", style || ""];
      return text ? before + escaped(text) + after : escaped(DASH);
    });
    return (
      values.join(" / ") +
      (found.d ? ` (${escaped(found.d)})` : "") +
      (found.t || []).map((tag) => ` ${escaped(tag)}`).join("")
    );
  }

  const LATEX = {
    "\\": "\\textbackslash{}",
    "{": "\\{",
    "}": "\\}",
    "&": "\\&",
    "%": "\\%",
    $: "\\$",
    "#": "\\#",
    _: "\\_",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "—": "---",
    "×": "$\\times$",
  };
  const latex = (text) => text.replace(/[\\{}&%$#_~^<>|—×]/g, (found) => LATEX[found]);

  /** To the clipboard; where a browser does not let us, into a box to copy from. */
  async function copyText(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied: ${what}.`);
    } catch {
      const box = el("textarea", { rows: "12", cols: "60", readonly: true, "aria-label": what });
      box.value = text;
      $("details-title").textContent = what;
      $("details-body").replaceChildren(box);
      $("details").showModal();
      box.select();
    }
  }

  // --------------------------------------------------------------------------------- plots

  const drawn = new Map(); // element -> how to draw it again, in other colours or another width

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      ink: of("ink"),
      quiet: of("quiet"),
      line: of("line"),
      paper: of("background"),
      front: of("measured"),
      shade: of("shade"),
    };
  }

  /** Draw into a host, now or when Plotly is there; ``make(colours)`` gives traces and layout. */
  function plot(host, label, height, make) {
    host.setAttribute("role", "img");
    host.setAttribute("aria-label", label);
    host.style.minHeight = `${height}px`;
    drawn.set(host, { make, height });
    redraw(host);
  }

  function redraw(host) {
    if (!window.Plotly || !host.isConnected || host.closest("[hidden]")) return;
    const { make, height } = drawn.get(host);
    const palette = colours();
    const { traces, layout } = make(palette);
    const narrow_ = host.clientWidth < 520;
    const axis = {
      color: palette.ink,
      gridcolor: palette.line,
      zerolinecolor: palette.line,
      linecolor: palette.line,
      automargin: true,
    };
    // A legend takes a line for each of its entries where there is no room for two.
    const entries =
      narrow_ && layout.showlegend !== false
        ? new Set(traces.filter((trace) => trace.showlegend !== false).map((trace) => trace.name)).size
        : 0;
    const tall = height + (entries > 1 ? 19 * entries : 0);
    host.style.minHeight = `${tall}px`;
    const whole = {
      height: tall,
      margin: { l: narrow_ ? 44 : 58, r: 16, t: 14, b: 46 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: palette.ink, size: narrow_ ? 11 : 12.5, family: "system-ui, sans-serif" },
      hovermode: "closest",
      hoverlabel: {
        align: "left",
        bgcolor: palette.paper,
        bordercolor: palette.quiet,
        font: { color: palette.ink, size: 12 },
      },
      legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, font: { size: 12 }, traceorder: "normal" },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      ...layout,
      xaxis: { ...axis, ...layout.xaxis },
      yaxis: { ...axis, ...layout.yaxis },
    };
    window.Plotly.react(host, traces, whole, { displayModeBar: false, responsive: true });
    if (!host.listens) {
      host.listens = true;
      host.on("plotly_click", ({ points: [hit] }) => hit.customdata && showDetails([hit.customdata]));
    }
  }

  function saveButtons(host, name) {
    return el(
      "span",
      { class: "save" },
      ["SVG", "PNG"].map((form) =>
        el(
          "button",
          {
            type: "button",
            click: () =>
              window.Plotly &&
              window.Plotly.downloadImage(host, {
                format: form.toLowerCase(),
                filename: name,
                width: host.clientWidth,
                height: host.clientHeight,
                scale: form === "PNG" ? 2 : 1,
              }),
          },
          `Save plot as ${form}`,
        ),
      ),
    );
  }

  /** A panel for a plot with a heading of its own. */
  function plotPanel(host, name) {
    return el("div", { class: "plotpanel" }, host, saveButtons(host, name));
  }

  // --------------------------------------------------------------------------- view: choose

  const LIMITS = [
    { key: "ms", label: "Latency at most", unit: "ms", of: (one) => ms(one), most: true },
    { key: "ap", label: "AP at least", unit: "%", of: (one) => (accuracyOf(one) || { value: 0 }).value, most: false },
    { key: "mib", label: "File at most", unit: "MiB", of: (one) => (one.file_bytes || 0) / MIB, most: true },
    { key: "memory", label: "Memory at most", unit: "MiB", of: (one) => (one.memory_bytes || 0) / MIB, most: true },
  ];
  const BEST = {
    "": "what is not limited",
    ap: "the most accurate",
    latency: "the fastest",
    size: "the smallest file",
    memory: "the least memory",
  };

  function limits() {
    const number = (text) =>
      text === undefined || text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text);
    return Object.fromEntries(LIMITS.map(({ key }) => [key, number(state[key])]));
  }

  const choose = {
    build(host) {
      this.controls = {};
      const boxes = LIMITS.map((limit) => {
        const number = el("input", {
          type: "number",
          id: `limit-${limit.key}`,
          min: "0",
          step: "any",
          inputmode: "decimal",
          input: () => change({ [limit.key]: number.value }),
        });
        const slider = el("input", {
          type: "range",
          id: `slider-${limit.key}`,
          "aria-label": `${limit.label}, ${limit.unit}`,
          min: "0",
          input: () =>
            change({
              [limit.key]: Number(slider.value) === Number(limit.most ? slider.max : slider.min) ? "" : slider.value,
            }),
        });
        this.controls[limit.key] = { number, slider };
        return el(
          "div",
          { class: "limit" },
          el("label", { for: `limit-${limit.key}` }, `${limit.label}, ${limit.unit}`),
          el("span", {}, slider, number),
        );
      });
      this.best = el(
        "select",
        { id: "best", change: () => change({ best: this.best.value }) },
        Object.entries(BEST).map(([value, label]) => el("option", { value }, value ? label : "by the limits")),
      );
      const none = el(
        "button",
        { type: "button", id: "no-limits", click: () => change({ ms: "", ap: "", mib: "", memory: "", best: "" }) },
        "No limits",
      );
      this.answer = el("p", { class: "answer", "aria-live": "polite" });
      this.plot = el("div", { class: "plot", id: "plot-choose" });
      this.key = el("p", { class: "quiet" });
      this.command = el("code", { id: "command" });
      this.table = new TableView("choose", "What fits, best first");
      host.append(
        el(
          "form",
          { class: "limits", "aria-label": "Limits", submit: (event) => event.preventDefault() },
          boxes,
          el("div", { class: "limit" }, el("label", { for: "best" }, "Best is"), this.best),
          none,
        ),
        this.answer,
        plotPanel(this.plot, "speed_and_accuracy"),
        this.key,
        this.table.node,
        el(
          "p",
          { class: "quiet" },
          "The same on the terminal (records that are not in results/local: with --results DIR): ",
          this.command,
        ),
      );
    },

    draw({ settings, speeds }) {
      const asked = limits();
      for (const limit of LIMITS) {
        const { number, slider } = this.controls[limit.key];
        const values = speeds.map(limit.of).filter((value) => value > 0);
        const top = Math.ceil((values.length ? Math.max(...values) : 100) * 1.05);
        slider.max = limit.key === "ap" ? 100 : top;
        slider.min = limit.key === "ap" && values.length ? Math.floor(Math.min(...values)) - 1 : 0;
        slider.step = limit.key === "ap" ? 0.1 : top > 200 ? 1 : top > 20 ? 0.1 : 0.01;
        const value = asked[limit.key];
        slider.value = value === null ? (limit.most ? slider.max : slider.min) : value;
        if (document.activeElement !== number) number.value = state[limit.key] || "";
      }
      this.best.value = state.best in BEST ? state.best || "" : "";
      const best = this.best.value || (asked.ms === null ? "latency" : "ap");
      const found = choices(speeds, asked, best);
      if (!found.length) {
        this.answer.textContent = nothingTimed();
        for (const part of [this.plot, this.table.node, this.key]) part.hidden = true;
        return;
      }
      for (const part of [this.plot, this.table.node, this.key]) part.hidden = false;
      const count = (verdict) => found.filter((choice) => choice.verdict === verdict).length;
      const first = found[0];
      const numbers = `${count("fits")} fit, ${count("maybe")} may fit, ${count("out")} do not`;
      this.answer.replaceChildren(
        ...(first.verdict === "out"
          ? [`Nothing keeps within these limits here: ${numbers}.`]
          : [
              `${BEST[best][0].toUpperCase()}${BEST[best].slice(1)} that ${first.verdict === "fits" ? "fits" : "may fit"}: `,
              el("strong", {}, first.one.model),
              ` in ${runtimeOf(first.one)}, ${short(ms(first.one))} ms${accuracyOf(first.one) ? `, ${data.datasets[state.dataset].metric} ${accuracyOf(first.one).value.toFixed(1)} ${whose(accuracyOf(first.one))}` : ""}. ${numbers[0].toUpperCase()}${numbers.slice(1)}.`,
            ]),
      );
      this.drawTable(found);
      this.drawPlot(found, asked);
      this.key.textContent =
        "Circle: area is parameters; filled: AP measured, open: AP as printed or published. Diamond: may fit. Faint: does not fit. " +
        "Bar: 95 % interval of the latency. Line: the Pareto front by the means; band: where it may lie by the intervals.";
      this.command.textContent = chooseCommand(settings[0], asked);
    },

    drawTable(found) {
      const metric = data.datasets[state.dataset].metric;
      const limited = Object.values(limits()).some((limit) => limit !== null);
      const columns = [
        { id: "model", title: "Network", words: true },
        { id: "fits", title: "Fits", words: true },
        { id: "backend", title: "Runtime", words: true },
        { id: "ms", title: "ms" },
        { id: "fps", title: "FPS", down: true },
        { id: "ap", title: metric, down: true },
        { id: "params", title: "Parameters, M" },
        { id: "file", title: "File, MiB" },
        { id: "memory", title: "Memory, MiB" },
        { id: "front", title: "On the front", words: true },
        { id: "why", title: "Why not", words: true },
      ];
      const section = { fits: "Fits", maybe: "May fit", out: "Does not fit" };
      const rows = found.map(({ one, verdict, reasons, front }) => {
        const interval = msInterval(one);
        const accuracy = accuracyOf(one);
        const known = { r: [one.record] };
        return {
          key: `${one.model} ${settingOf(one).backend} ${settingOf(one).precision}`,
          name: one.model,
          section: section[verdict],
          highlight: one.model === data.baseline,
          records: [one.record],
          cells: [
            cell(one.model, "", { d: one.label === one.model ? "" : one.label, t: one.tags }),
            cell({ fits: "yes", maybe: "maybe", out: "no" }[verdict]),
            cell(runtimeOf(one)),
            cell(short(ms(one)), "m", {
              d: interval ? `${short(interval[0])} to ${short(interval[1])}` : "no interval",
              sort: ms(one),
              ...known,
            }),
            cell(one.fps.toFixed(1), "m", {
              d: one.fps_interval ? one.fps_interval.map((end) => end.toFixed(1)).join(" to ") : "",
              sort: one.fps,
              ...known,
            }),
            accuracy
              ? cell(accuracy.value.toFixed(1), { measured: "m", paper: "p", publisher: "u" }[accuracy.origin], {
                  sort: accuracy.value,
                  r: accuracy.record ? [accuracy.record] : [],
                })
              : 0,
            one.params === undefined ? 0 : cell((one.params / 1e6).toFixed(2), "", { sort: one.params }),
            one.file_bytes === undefined ? 0 : cell(mib(one.file_bytes, 1), "m", { sort: one.file_bytes, ...known }),
            one.memory_bytes === undefined
              ? 0
              : cell(mib(one.memory_bytes, 0), "m", { sort: one.memory_bytes, ...known }),
            cell({ yes: "yes", maybe: "maybe", no: "" }[front]),
            cell(reasons.join("; ")),
          ],
        };
      });
      const shown = columns
        .map((column, index) => ({ column, index }))
        .filter(({ column }) => limited || !["fits", "why"].includes(column.id));
      this.table.update({
        columns: shown.map(({ column }) => column),
        rows: limited
          ? rows
          : rows.map((row) => ({ ...row, section: "", cells: shown.map(({ index }) => row.cells[index]) })),
      });
    },

    drawPlot(found, asked) {
      const points = found.filter(({ one }) => accuracyOf(one));
      const metric = data.datasets[state.dataset].metric;
      const host = this.plot;
      plot(
        host,
        `Latency against ${metric} of ${points.length} networks and runtimes; the table below has the same figures.`,
        460,
        (palette) => {
          const largest = Math.max(1e6, ...points.map(({ one }) => one.params || 0));
          const narrow_ = host.clientWidth < 520;
          const size = (one) => Math.max(9, (narrow_ ? 26 : 40) * Math.sqrt((one.params || 0) / largest));
          const remain = points.filter(({ verdict }) => verdict !== "out");
          const traces = [...frontTraces(remain, points, palette)];
          const groups = data.methods.flatMap((method) => [true, false].map((fits) => [method, fits]));
          for (const [method, fits] of groups) {
            const mine = points.filter(({ one }) => one.method === method);
            const members = mine
              .filter(({ verdict }) => (verdict !== "out") === fits)
              .sort((a, b) => (b.one.params || 0) - (a.one.params || 0));
            if (!members.length) continue;
            const colour = COLOURS[data.methods.indexOf(method) % COLOURS.length];
            const intervals = members.map(({ one }) => msInterval(one) || [ms(one), ms(one)]);
            traces.push({
              type: "scatter",
              mode: "markers",
              name: method,
              legendgroup: method,
              showlegend: fits || members.length === mine.length,
              opacity: fits ? 1 : 0.25,
              x: members.map(({ one }) => ms(one)),
              y: members.map(({ one }) => accuracyOf(one).value),
              error_x: {
                type: "data",
                symmetric: false,
                array: members.map(({ one }, i) => intervals[i][1] - ms(one)),
                arrayminus: members.map(({ one }, i) => ms(one) - intervals[i][0]),
                color: palette.quiet,
                thickness: 1,
                width: 3,
              },
              marker: {
                color: colour,
                size: members.map(({ one }) => size(one)),
                opacity: 0.75,
                symbol: members.map(
                  ({ one, verdict }) =>
                    (verdict === "maybe" ? "diamond" : "circle") +
                    (accuracyOf(one).origin === "measured" ? "" : "-open"),
                ),
                line: { width: 2.5, color: colour },
              },
              cliponaxis: false,
              customdata: members.map(({ one }) => one.record),
              hovertext: members.map(({ one, verdict, reasons }) =>
                hover(
                  [
                    `${one.label}: ${metric} ${accuracyOf(one).value.toFixed(1)} ${whose(accuracyOf(one))}`,
                    ...summary(one.record),
                    one.params ? `${(one.params / 1e6).toFixed(2)} M parameters` : "",
                    one.file_bytes ? `file ${mib(one.file_bytes, 1)} MiB` : "",
                    one.memory_bytes ? `memory ${mib(one.memory_bytes, 0)} MiB` : "",
                    verdict === "fits"
                      ? ""
                      : `${verdict === "maybe" ? "May fit" : "Does not fit"}: ${reasons.join("; ")}`,
                  ].filter(Boolean),
                  narrow_ ? 36 : 64,
                ),
              ),
              hoverinfo: "text",
            });
          }
          const all = points.flatMap(({ one }) => msInterval(one) || [ms(one)]);
          const wide = Math.max(...all) / Math.min(...all) > 6;
          const shapes = [];
          const line = { color: palette.quiet, width: 1.5, dash: "dash" };
          if (asked.ms !== null)
            shapes.push({ type: "line", x0: asked.ms, x1: asked.ms, yref: "paper", y0: 0, y1: 1, line });
          if (asked.ap !== null)
            shapes.push({ type: "line", y0: asked.ap, y1: asked.ap, xref: "paper", x0: 0, x1: 1, line });
          const aps = points.map(({ one }) => accuracyOf(one).value);
          const room = Math.max(1.5, (Math.max(...aps) - Math.min(...aps)) * 0.14);
          const range = [Math.min(...aps) - room, Math.max(...aps) + room];
          const annotations = rowNames(points, palette, range, (host.clientHeight || 460) - 100, narrow_);
          return {
            traces,
            layout: {
              shapes,
              annotations,
              showlegend: !narrow_,
              margin: { l: narrow_ ? 44 : 58, r: narrow_ ? 112 : 150, t: 14, b: 46 },
              xaxis: {
                title: { text: "Latency of a batch, ms (less is better)" },
                ...(wide ? logAxis(all) : {}),
              },
              yaxis: { title: { text: `${metric} on ${data.datasets[state.dataset].title}` }, range },
            },
          };
        },
      );
    },
  };

  const whose = (accuracy) =>
    ({ measured: "(measured)", paper: "(the paper's)", publisher: "(its publisher's)" })[accuracy.origin];

  /** Each network's name at the right of its row, moved apart where rows are close. */
  function rowNames(points, palette, [low, high], height, narrow_) {
    const rows = new Map(points.map(({ one }) => [`${one.label} ${accuracyOf(one).value}`, one]));
    const sorted = [...rows.values()].sort((a, b) => accuracyOf(b).value - accuracyOf(a).value);
    const of = (one) => ((high - accuracyOf(one).value) / (high - low)) * height;
    const step = narrow_ ? 13 : 15;
    const places = [];
    for (const one of sorted)
      places.push(Math.max(of(one), places.length ? places[places.length - 1] + step : -Infinity));
    // Back up, so that those moved down stand around their rows.
    for (let index = places.length - 2; index >= 0; index--) {
      places[index] = Math.min(places[index], Math.max(places[index + 1] - step, of(sorted[index]) - step * 2));
    }
    return sorted.map((one, index) => ({
      xref: "paper",
      x: 1,
      y: accuracyOf(one).value,
      text: hover([one.label], 99),
      showarrow: true,
      arrowhead: 0,
      arrowwidth: 0.8,
      arrowcolor: palette.quiet,
      ax: 16,
      ay: places[index] - of(one),
      xanchor: "left",
      align: "left",
      font: { size: narrow_ ? 10 : 11.5, color: palette.ink },
    }));
  }

  /** Round numbers for a logarithmic axis that holds some values. */
  function logAxis(values) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of [1, 2, 5]) found.push(Number((digit * 10 ** power).toPrecision(3)));
    }
    return { type: "log", tickvals: found, ticktext: found.map(String) };
  }

  /** The front by the means as a staircase, and the band in which it may lie by the ends of the intervals. */
  function frontTraces(remain, points, palette) {
    if (!remain.length) return [];
    const right = Math.max(...points.flatMap(({ one }) => msInterval(one) || [ms(one)])) * 1.05;
    const stairs = (of) => {
      const sorted = remain
        .map(({ one }) => [of(one), accuracyOf(one).value])
        .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
      const steps = [];
      let best = -Infinity;
      for (const [x, ap] of sorted) {
        if (ap <= best) continue;
        if (steps.length) steps.push([x, best]);
        steps.push([x, ap]);
        best = ap;
      }
      steps.push([right, best]);
      return steps;
    };
    const low = stairs((one) => (msInterval(one) || [ms(one)])[0]);
    const high = stairs((one) => (msInterval(one) || [ms(one), ms(one)])[1]);
    const mean = stairs(ms);
    const floor = Math.min(...remain.map(({ one }) => accuracyOf(one).value));
    const band = [[low[0][0], floor], ...low, ...high.slice().reverse(), [high[0][0], floor]];
    const common = { type: "scatter", hoverinfo: "skip" };
    return [
      {
        ...common,
        mode: "lines",
        name: "front, by its intervals",
        x: band.map((p) => p[0]),
        y: band.map((p) => p[1]),
        fill: "toself",
        fillcolor: palette.shade,
        line: { width: 0 },
      },
      {
        ...common,
        mode: "lines",
        name: "front, by the means",
        x: mean.map((p) => p[0]),
        y: mean.map((p) => p[1]),
        line: { color: palette.front, width: 2 },
      },
    ];
  }

  function nothingTimed() {
    if (!data.settings.length) return "Nothing was timed yet: run python -m bench.speed, then make the report again.";
    const { joints, title } = data.datasets[state.dataset];
    return `No speed of networks with ${joints} joints, as ${title} has, was measured here: run python -m bench.speed --joints ${joints}, or choose another data set or input.`;
  }

  /** A word as a shell takes it. */
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);

  /** The command that gives the same answer on the terminal. */
  function chooseCommand(setting, asked) {
    const options = {
      "--max-ms": asked.ms,
      "--min-ap": asked.ap,
      "--max-mib": asked.mib,
      "--max-memory-mib": asked.memory,
      "--best": state.best || null,
    };
    const { fields } = narrow(state);
    const machine = setting.gpu ? `${setting.machine} with ${setting.gpu}` : setting.machine;
    const words = [
      "python -m bench.choose",
      `--machine ${quoted(machine)}`,
      `--device ${setting.device}`,
      `--backend ${quoted(fields.backend.value)}`,
      `--precision ${fields.precision.value}`,
      `--batch ${setting.batch}`,
      `--input ${setting.input}`,
      `--dataset ${quoted(state.dataset)}`,
    ];
    if (setting.device === "cpu") words.push(`--threads ${setting.threads}`);
    for (const [option, value] of Object.entries(options)) if (value !== null) words.push(`${option} ${value}`);
    return words.join(" ");
  }

  // ----------------------------------------------------------------------------- view: rank

  const rank = {
    build(host) {
      this.answer = el("p", { class: "answer", "aria-live": "polite" });
      this.plot = el("div", { class: "plot", id: "plot-rank" });
      this.table = new TableView("rank", "Place of each network in each runtime");
      host.append(
        this.answer,
        plotPanel(this.plot, "ranking"),
        this.table.node,
        el(
          "p",
          { class: "quiet" },
          "Passes: networks that are faster in the first runtime of the table and slower here. “Perhaps”: their 95 % intervals overlap in one of the two, or there are none.",
        ),
      );
    },

    draw({ speeds }) {
      const runtimes = unique([...speeds].sort((a, b) => a.setting - b.setting).map((one) => one.setting)).map(
        (setting) => {
          const members = speeds
            .filter((one) => one.setting === setting)
            .sort((a, b) => b.fps - a.fps || compare(a.model, b.model));
          return { setting, title: runtimeOf(members[0]), members };
        },
      );
      const titles = runtimes.map(({ title }) => title);
      runtimes.forEach((runtime) => {
        const { input, batch, threads, joints } = data.settings[runtime.setting];
        if (titles.filter((title) => title === runtime.title).length > 1)
          runtime.title += ` (batch ${batch}, ${input}, ${threads} threads, ${joints} joints)`;
      });
      const any = runtimes.length > 0;
      this.plot.hidden = this.table.node.hidden = !any;
      if (!any) {
        this.answer.textContent = nothingTimed();
        return;
      }
      const fastest = [...speeds].sort((a, b) => b.fps - a.fps)[0];
      const rivals = speeds.filter((one) => one.model !== fastest.model && !apart(fastest, one));
      this.answer.replaceChildren(
        "Fastest here: ",
        el("strong", {}, fastest.model),
        ` in ${runtimeOf(fastest)}, ${fastest.fps.toFixed(1)} FPS`,
        rivals.length
          ? `; by their intervals, also possible: ${unique(rivals.map((one) => `${one.label} in ${runtimeOf(one)}`)).join(", ")}.`
          : ", for sure.",
      );
      const models = unique(runtimes.flatMap(({ members }) => members.map((one) => one.model)));
      const columns = [
        { id: "model", title: "Network", words: true },
        ...runtimes.map(({ title, setting }) => ({ id: `r${setting}`, title })),
      ];
      const rows = models.map((model) => ({
        name: model,
        key: model,
        highlight: model === data.baseline,
        cells: [
          cell(model, "", { d: labelOf(speeds, model) }),
          ...runtimes.map(({ members }, number) => {
            const place = members.findIndex((one) => one.model === model);
            if (place < 0) return 0;
            const one = members[place];
            const words = [
              `${one.fps.toFixed(1)} FPS`,
              number ? passes(overtaken(model, runtimes[0].members, members)) : "",
            ]
              .filter(Boolean)
              .join("; ");
            return cell(place + 1, "m", { d: words, t: one.tags, r: [one.record] });
          }),
        ],
      }));
      this.table.update({ columns, rows });
      plot(
        this.plot,
        `Place of ${models.length} networks in ${runtimes.length} runtimes; the table below has the same figures.`,
        90 + 36 * models.length,
        (palette) => ({
          traces: models.map((model, number) => {
            const there = runtimes.map(({ members }) => members.findIndex((one) => one.model === model));
            const ones = runtimes.map(({ members }, index) => members[there[index]]);
            return {
              type: "scatter",
              mode: "lines+markers+text",
              name: labelOf(speeds, model) || model,
              x: runtimes.map(({ title }) => title),
              y: there.map((place) => (place < 0 ? null : place + 1)),
              line: {
                color: COLOURS[number % COLOURS.length],
                width: model === data.baseline ? 4 : 2,
                dash: number < COLOURS.length ? "solid" : "dash",
              },
              marker: { size: 9, color: COLOURS[number % COLOURS.length] },
              text: ones.map((one) => (one ? one.fps.toFixed(1) : "")),
              textposition: "top center",
              textfont: { size: 10, color: palette.ink },
              customdata: ones.map((one) => one && one.record),
              hovertext: ones.map((one) => (one ? hover(summary(one.record)) : "")),
              hoverinfo: "text",
              cliponaxis: false,
            };
          }),
          layout: {
            yaxis: {
              autorange: false,
              range: [models.length + 0.5, 0.3],
              dtick: 1,
              title: { text: "Place, fastest first" },
              zeroline: false,
            },
            xaxis: { type: "category", showgrid: true, range: [-0.35, runtimes.length - 0.65] },
          },
        }),
      );
    },
  };

  const labelOf = (speeds, model) => {
    const found = speeds.find((one) => one.model === model);
    return found && found.label !== model ? found.label : "";
  };

  // -------------------------------------------------------------------------- view: compare

  const SIDE = [
    { key: "machine", label: "Machine" },
    { key: "device", label: "Device" },
    { key: "gpu", label: "GPU" },
    { key: "precision", label: "Precision" },
    { key: "backend", label: "Runtime" },
  ];

  const comparing = {
    build(host) {
      this.selects = {};
      const select = (key, label) => {
        this.selects[key] = el("select", { id: key, change: (event) => change({ [key]: event.target.value }) });
        return el("label", {}, `${label} `, this.selects[key]);
      };
      this.setLabels = ["a.set", "b.set"].map((key) =>
        select(key, key === "a.set" ? "First: records of" : "Records of"),
      );
      this.networks = el("p", { class: "answer", id: "two-networks", "aria-live": "polite" });
      this.pairs = new TableView("pairs", "Two networks, runtime by runtime");
      this.places = el("p", { class: "answer", id: "two-places", "aria-live": "polite" });
      this.plot = el("div", { class: "plot", id: "plot-compare" });
      this.table = new TableView("compare", "Two machines or runtimes, network by network");
      this.differs = el("ul", { class: "quiet" });
      host.append(
        el("h3", {}, "Two networks"),
        el("div", { class: "controls" }, select("x", "Is"), select("y", "faster than")),
        this.networks,
        this.pairs.node,
        el("h3", {}, "Two machines, runtimes or sets of records"),
        el("p", { class: "quiet" }, "The first is what is chosen above; the second is chosen here."),
        el(
          "div",
          { class: "controls" },
          this.setLabels[0],
          SIDE.map(({ key, label }) => select(`b.${key}`, `Second: ${label.toLowerCase()}`)),
          this.setLabels[1],
        ),
        this.places,
        this.differs,
        plotPanel(this.plot, "ratios"),
        this.table.node,
      );
    },

    draw({ fields, settings, speeds }) {
      this.drawNetworks(speeds);
      this.drawPlaces(fields, settings);
    },

    fill(key, options, value) {
      fillSelect(this.selects[key], options, value);
    },

    drawNetworks(speeds) {
      const models = unique(speeds.map((one) => one.model));
      const usual = (wanted, other) =>
        models.includes(wanted) ? wanted : models.find((model) => model !== other) || "";
      const x = models.includes(state.x) ? state.x : models.includes(data.baseline) ? data.baseline : usual("", "");
      const y = usual(state.y, x);
      const options = models.map((model) => [
        model,
        labelOf(speeds, model) ? `${labelOf(speeds, model)} (${model})` : model,
      ]);
      this.fill("x", options, x);
      this.fill("y", options, y);
      const rows = [];
      const verdicts = [];
      for (const mine of speeds.filter((one) => one.model === x)) {
        const theirs = speeds.find((one) => one.model === y && one.setting === mine.setting);
        if (!theirs || x === y) continue;
        const found = ratio(theirs, mine);
        verdicts.push(verdictOf(found));
        rows.push({
          name: runtimeOf(mine),
          key: runtimeOf(mine),
          records: [mine.record, theirs.record],
          cells: [cell(runtimeOf(mine)), latencyCell(mine), latencyCell(theirs), ...ratioCells(found)],
        });
      }
      this.pairs.node.hidden = !rows.length;
      const [nameX, nameY] = [labelOf(speeds, x) || x, labelOf(speeds, y) || y];
      if (!rows.length) {
        this.networks.textContent =
          models.length < 2
            ? "Two networks were not timed alike here."
            : `${nameX} and ${nameY} were not timed in the same runtime here.`;
        return;
      }
      const count = (wanted) => verdicts.filter((verdict) => verdict === wanted).length;
      const faster = count("differs for sure: faster");
      const slower = count("differs for sure: slower");
      const what =
        faster === rows.length
          ? "Yes, for sure"
          : slower === rows.length
            ? "No: it is slower for sure"
            : "Not in every runtime";
      this.networks.textContent = `${what}: of ${rows.length} runtime${rows.length === 1 ? "" : "s"}, ${nameX} is faster than ${nameY} for sure in ${faster}, slower for sure in ${slower}, and may be either in ${rows.length - faster - slower}.`;
      this.pairs.update({
        columns: [
          { id: "backend", title: "Runtime", words: true },
          { id: "x", title: `${nameX}, ms` },
          { id: "y", title: `${nameY}, ms` },
          { id: "ratio", title: "ratio" },
          { id: "verdict", title: "verdict", words: true },
        ],
        rows,
        name: `${nameX} and ${nameY}, runtime by runtime`,
      });
    },

    drawPlaces(fields, settings) {
      const first = { set: data.sets.includes(state["a.set"]) ? state["a.set"] : "" };
      const wanted = Object.fromEntries(
        SIDE.map(({ key }) => [key, state[`b.${key}`]]),
      );
      const others = unique(data.settings.map((s) => s.machine)).filter((machine) => machine !== fields.machine.value);
      wanted.machine ||= others[0];
      for (const key of ["device", "gpu", "precision", "backend"]) wanted[key] ||= fields[key].value;
      for (const key of ["input", "batch", "threads"]) wanted[key] = fields[key].value;
      const second = narrow(wanted);
      for (const { key } of SIDE) {
        this.fill(`b.${key}`, optionsOf(key, second.fields[key].values), second.fields[key].value);
        this.selects[`b.${key}`].parentNode.hidden = key === "gpu" && second.fields.gpu.values.length < 2;
      }
      for (const [key, label] of [
        ["a.set", this.setLabels[0]],
        ["b.set", this.setLabels[1]],
      ]) {
        label.hidden = data.sets.length < 2;
        this.fill(key, [["", "every folder, the newest"], ...data.sets.map((set) => [set, set])], state[key] || "");
      }
      const { joints } = data.datasets[state.dataset];
      const a = pick(settings, first.set);
      const b = pick(
        second.left.filter((setting) => setting.joints === joints),
        data.sets.includes(state["b.set"]) ? state["b.set"] : "",
      );
      const sameRuntime = second.fields.backend.value === "all";
      const pairs = a.flatMap((one) => {
        const alike = b.filter(
          (other) =>
            other.model === one.model &&
            other !== one &&
            // What the second side does not have, it is not compared in: a batch or an input is of both.
            settingOf(other).input === settingOf(one).input &&
            settingOf(other).batch === settingOf(one).batch &&
            (!sameRuntime || settingOf(other).backend === settingOf(one).backend) &&
            (second.fields.precision.value !== "all" || settingOf(other).precision === settingOf(one).precision),
        );
        return alike.map((other) => ({ one, other, found: ratio(one, other) }));
      });
      const shown = pairs.length > 0;
      this.plot.hidden = this.table.node.hidden = !shown;
      const [titleA, titleB] = [sideTitle(fields), sideTitle(second.fields)];
      if (!shown) {
        this.places.textContent = `${titleA} and ${titleB} have no timing in common, or are the same: choose another second side.`;
        this.differs.replaceChildren();
        return;
      }
      const verdicts = pairs.map(({ found }) => verdictOf(found));
      const count = (word) => verdicts.filter((verdict) => verdict === `differs for sure: ${word}`).length;
      this.places.textContent = `Of ${pairs.length} timings, the second (${titleB}) is faster for sure in ${count("faster")}, slower for sure in ${count("slower")}; in ${pairs.length - count("faster") - count("slower")} nobody can tell.`;
      this.differs.replaceChildren(...differences(pairs).map((line) => el("li", {}, line)));
      const rows = pairs.map(({ one, other, found }) => {
        const alike = (speeds, setting) => speeds.filter((speed) => speed.setting === setting);
        const over = overtaken(one.model, alike(a, one.setting), alike(b, other.setting));
        return {
          name: `${one.model} ${runtimeOf(one)}`,
          key: `${one.model} ${runtimeOf(one)}`,
          highlight: one.model === data.baseline,
          records: [one.record, other.record],
          cells: [
            cell(one.model, "", { d: one.label === one.model ? "" : one.label }),
            cell(runtimeOf(one) === runtimeOf(other) ? runtimeOf(one) : `${runtimeOf(one)} → ${runtimeOf(other)}`),
            latencyCell(one),
            latencyCell(other),
            ...ratioCells(found),
            cell(passes(over)),
          ],
        };
      });
      this.table.update({
        columns: [
          { id: "model", title: "Network", words: true },
          { id: "backend", title: "Runtime", words: true },
          { id: "first", title: "first, ms" },
          { id: "second", title: "second, ms" },
          { id: "ratio", title: "ratio" },
          { id: "verdict", title: "verdict of the second", words: true },
          { id: "passes", title: "Overtakes in the second", words: true },
        ],
        rows,
        name: `First: ${titleA}. Second: ${titleB}`,
      });
      const known = pairs.filter(({ found }) => found);
      plot(
        this.plot,
        `Ratio of latencies, second to first, of ${known.length} timings; the table below has the same figures.`,
        110 + 20 * known.length,
        (palette) => ({
          traces: [
            {
              type: "scatter",
              mode: "markers",
              x: known.map(({ found }) => found.ratio),
              y: known.map(({ one }) => `${one.label}, ${runtimeOf(one)}`),
              error_x: {
                type: "data",
                symmetric: false,
                array: known.map(({ found }) => (found.high === null ? 0 : found.high - found.ratio)),
                arrayminus: known.map(({ found }) => (found.low === null ? 0 : found.ratio - found.low)),
                color: palette.quiet,
                thickness: 1.4,
                width: 4,
              },
              marker: {
                size: 8,
                color: known.map(({ found }) =>
                  verdictOf(found).startsWith("differs") ? (found.ratio > 1 ? "#D55E00" : "#009E73") : "#999999",
                ),
              },
              hovertext: known.map(({ one, other, found }) =>
                hover([
                  `ratio ${found.ratio.toFixed(3)}${found.low === null ? "" : `, ${found.low.toFixed(3)} to ${found.high.toFixed(3)}`}: ${verdictOf(found)}`,
                  ...summary(one.record),
                  ...summary(other.record),
                ]),
              ),
              hoverinfo: "text",
            },
          ],
          layout: {
            showlegend: false,
            xaxis: { title: { text: "Latency of the second over that of the first" } },
            yaxis: { autorange: "reversed", type: "category", dtick: 1, tickfont: { size: 10 } },
            shapes: [
              {
                type: "line",
                x0: 1,
                x1: 1,
                yref: "paper",
                y0: 0,
                y1: 1,
                line: { color: palette.quiet, dash: "dash", width: 1.5 },
              },
            ],
          },
        }),
      );
    },
  };

  function sideTitle(fields) {
    const runtime = fields.backend.value === "all" ? "every runtime" : fields.backend.value;
    const { machine, device, gpu, precision } = fields;
    return [machine.value, device.value, gpu.value, runtime, precision.value].filter(Boolean).join(", ");
  }

  function latencyCell(one) {
    const interval = msInterval(one);
    return cell(short(ms(one)), "m", {
      d: interval ? `${short(interval[0])} to ${short(interval[1])}` : "no interval",
      t: one.tags,
      sort: ms(one),
      r: [one.record],
    });
  }

  function ratioCells(found) {
    const interval = found && found.low !== null ? `${found.low.toFixed(3)} to ${found.high.toFixed(3)}` : "";
    return [found ? cell(found.ratio.toFixed(3), "m", { d: interval, sort: found.ratio }) : 0, cell(verdictOf(found))];
  }

  /** What differs around two sides: a reader must know it before any ratio. */
  function differences(pairs) {
    const lines = [];
    const of = {
      machine: (r) => r.machine,
      GPU: (r) => r.gpu || "",
      runtime: (r) => r.runtime,
      threads: (r) => String(r.threads),
      protocol: (r) => r.protocol || "",
      day: (r) => day(r.at),
    };
    for (const [what, read] of Object.entries(of)) {
      const [one, other] = [(pair) => pair.one, (pair) => pair.other].map((side) =>
        unique(pairs.map((pair) => read(data.records[side(pair).record])))
          .sort()
          .join(", "),
      );
      if (one !== other) lines.push(`${what}: ${one || "none"} | ${other || "none"}`);
    }
    return lines;
  }

  // -------------------------------------------------------------------------- view: history

  const growth = {
    build(host) {
      this.answer = el("p", { class: "answer" });
      this.plot = el("div", { class: "plot", id: "plot-history" });
      this.table = new TableView("history", "Speed by revision");
      this.checked = el("p", { class: "answer" });
      this.checkPlot = el("div", { class: "plot", id: "plot-checks" });
      this.checkTable = new TableView("checks", "Latency checks");
      host.append(
        this.answer,
        plotPanel(this.plot, "history"),
        this.table.node,
        el("h3", {}, "Latency checks"),
        this.checked,
        plotPanel(this.checkPlot, "checks"),
        this.checkTable.node,
      );
    },

    draw({ settings }) {
      const wanted = new Set(settings.map((setting) => setting.index));
      const known = new Set(); // what lies in two folders is one timing
      const isNew = (one) => known.size < known.add(`${one.model} ${one.setting} ${one.at}`).size;
      const found = data.speeds
        .filter((one) => wanted.has(one.setting) && isNew(one))
        .sort((a, b) => a.setting - b.setting || compare(Date.parse(a.at), Date.parse(b.at)));
      const lines = new Map();
      for (const one of found) {
        const key = `${one.model} ${one.setting}`;
        lines.set(key, [...(lines.get(key) || []), one]);
      }
      const revisions = unique(found.map((one) => one.revision));
      const again = [...lines.values()].filter((line) => line.length > 1).length;
      this.plot.hidden = this.table.node.hidden = !found.length;
      this.answer.textContent = found.length
        ? `${found.length} timings of ${revisions.length} revision${revisions.length === 1 ? "" : "s"}; ${again} of ${lines.size} lines have more than one point.`
        : nothingTimed();
      if (found.length) {
        const rows = [...lines.values()].flatMap((line) =>
          line.map((one, index) => {
            const last = line.slice(0, index).findLast((earlier) => earlier.protocol === one.protocol);
            return {
              name: one.model,
              key: one.record,
              highlight: one.model === data.baseline,
              records: [one.record],
              cells: [
                cell(one.model),
                cell(runtimeOf(one)),
                cell(one.revision),
                cell(minute(one.at)),
                latencyCell(one),
                ...(last ? ratioCells(ratio(last, one)) : [0, cell("the first")]),
              ],
            };
          }),
        );
        this.table.update({
          columns: [
            { id: "model", title: "Network", words: true },
            { id: "backend", title: "Runtime", words: true },
            { id: "revision", title: "Revision", words: true },
            { id: "at", title: "Measured", words: true },
            { id: "ms", title: "ms" },
            { id: "ratio", title: "over the one before, by the same protocol" },
            { id: "verdict", title: "verdict", words: true },
          ],
          rows,
        });
        const first = found[0].setting;
        const plotted =
          lines.size > 16 ? [...lines.values()].filter((line) => line[0].setting === first) : [...lines.values()];
        if (plotted.length < lines.size)
          this.answer.append(` The plot shows ${runtimeOf(found[0])}: choose another runtime to see it.`);
        plot(
          this.plot,
          `Latency by time of ${plotted.length} networks and runtimes; the table below has the same figures.`,
          420,
          (palette) => ({
            traces: plotted.map((line, number) => ({
              type: "scatter",
              mode: "lines+markers",
              name: `${line[0].label}, ${runtimeOf(line[0])}`,
              x: line.map((one) => one.at),
              y: line.map(ms),
              error_y: {
                type: "data",
                symmetric: false,
                array: line.map((one) => (msInterval(one) || [0, ms(one)])[1] - ms(one)),
                arrayminus: line.map((one) => ms(one) - (msInterval(one) || [ms(one)])[0]),
                thickness: 1,
                width: 3,
              },
              line: {
                color: COLOURS[number % COLOURS.length],
                dash: ["solid", "dash", "dot", "dashdot"][Math.floor(number / COLOURS.length) % 4],
              },
              customdata: line.map((one) => one.record),
              hovertext: line.map((one) =>
                hover([`revision ${one.revision}, ${minute(one.at)}`, ...summary(one.record)]),
              ),
              hoverinfo: "text",
            })),
            layout: {
              xaxis: { type: "date" },
              yaxis: {
                title: { text: "Latency, ms" },
                ...logAxis(plotted.flat().flatMap((one) => msInterval(one) || [ms(one)])),
              },
            },
          }),
        );
      }
      this.drawChecks(settings);
    },

    drawChecks(settings) {
      const machine = settings.length ? settings[0].machine : "";
      const checks = data.checks
        .filter((check) => check.machine === machine)
        .sort((a, b) => compare(Date.parse(a.at), Date.parse(b.at)));
      this.checkPlot.parentNode.hidden = this.checkTable.node.hidden = !checks.length;
      this.checked.textContent = checks.length
        ? `${checks.length} comparisons by python -m bench.regress on this machine.`
        : "No comparison of two revisions by python -m bench.regress was recorded on this machine.";
      if (!checks.length) return;
      this.checkTable.update({
        columns: [
          { id: "model", title: "Network", words: true },
          { id: "base", title: "Old", words: true },
          { id: "head", title: "New", words: true },
          { id: "at", title: "Measured", words: true },
          { id: "ratio", title: "ratio" },
          { id: "verdict", title: "verdict", words: true },
        ],
        rows: checks.map((check) => ({
          name: check.model,
          key: check.record,
          records: [check.record],
          cells: [
            cell(check.model),
            cell(check.base || DASH),
            cell(check.head || DASH),
            cell(minute(check.at)),
            cell(check.ratio.toFixed(3), "m", {
              d: check.low === undefined ? "" : `${check.low.toFixed(3)} to ${check.high.toFixed(3)}`,
              sort: check.ratio,
              r: [check.record],
            }),
            cell(check.verdict || ""),
          ],
        })),
      });
      plot(this.checkPlot, `Ratio of new to old code in ${checks.length} latency checks.`, 320, (palette) => ({
        traces: unique(checks.map((check) => check.model)).map((model, number) => {
          const mine = checks.filter((check) => check.model === model);
          return {
            type: "scatter",
            mode: "lines+markers",
            name: model,
            x: mine.map((check) => check.at),
            y: mine.map((check) => check.ratio),
            line: { color: COLOURS[number % COLOURS.length] },
            error_y: {
              type: "data",
              symmetric: false,
              array: mine.map((check) => (check.high === undefined ? 0 : check.high - check.ratio)),
              arrayminus: mine.map((check) => (check.low === undefined ? 0 : check.ratio - check.low)),
            },
            hovertext: mine.map((check) =>
              hover([`${check.base || "?"} to ${check.head || "?"}: ${check.verdict || ""}`, ...summary(check.record)]),
            ),
            hoverinfo: "text",
          };
        }),
        layout: {
          xaxis: { type: "date" },
          yaxis: { title: { text: "Latency, new over old" } },
          shapes: [
            { type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: palette.quiet, dash: "dash" } },
          ],
        },
      }));
    },
  };

  // --------------------------------------------------------------------------- view: tables

  const SELF_EXPLAINING = new Set([
    "machine",
    "device",
    "gpu",
    "backend",
    "precision",
    "dataset",
    "validation",
    "model",
  ]);

  const tables = {
    build(host) {
      this.select = el("select", { id: "table", change: () => change({ table: this.select.value }) });
      this.only = el("input", {
        type: "checkbox",
        id: "only",
        change: () => change({ only: this.only.checked ? "yes" : "no" }),
      });
      this.title = el("h3", {});
      this.files = el("p", { class: "files" });
      this.remarks = el("ul", { class: "remarks" });
      this.plots = el("div", { class: "plots" });
      this.left = el("p", { class: "quiet" });
      this.table = new TableView("table", "Table");
      this.notes = el("div", { class: "notes" });
      host.append(
        el(
          "div",
          { class: "controls" },
          el("label", {}, "Table ", this.select),
          el("label", {}, this.only, " only what is chosen above"),
        ),
        this.title,
        this.files,
        this.remarks,
        this.plots,
        this.left,
        this.table.node,
        this.notes,
      );
    },

    draw({ fields }) {
      const known = data.sections.filter((section) => section.table || section.figures || section.without);
      const section = known.find((one) => one.key === state.table) || known[0];
      fillSelect(
        this.select,
        known.map((one) => [one.key, one.title]),
        section.key,
      );
      this.only.checked = state.only !== "no";
      this.title.textContent = section.title;
      const link = (name) => el("a", { href: name }, name);
      const files = [
        ...(section.table ? ["md", "csv", "tex"].map((ending) => `${section.key}.${ending}`) : []),
        ...(section.figures || []).flatMap((name) => [`${name}.png`, `${name}.svg`]),
      ];
      this.files.replaceChildren(
        ...(files.length
          ? ["Files beside this page: ", ...files.flatMap((name, index) => (index ? [", ", link(name)] : [link(name)]))]
          : [section.without || ""]),
      );
      this.remarks.replaceChildren(...((section.table || {}).remarks || []).map((remark) => el("li", {}, remark)));
      this.drawPlots(section, fields);
      this.table.node.hidden = this.notes.hidden = !section.table;
      this.left.textContent = "";
      if (section.table) this.drawTable(section, fields);
    },

    /** Whether something of these settings is what is chosen; what does not say counts as chosen. */
    matches(where, fields) {
      const alike = (key, value) => !where[key] || !value || value === "all" || where[key] === value;
      return (
        alike("machine", fields.machine.value) &&
        alike("device", fields.device.value) &&
        alike("gpu", fields.gpu.value) &&
        alike("backend", fields.backend.value) &&
        alike("precision", fields.precision.value)
      );
    },

    drawTable(section, fields) {
      const { table } = section;
      const only = state.only !== "no";
      const columns = table.columns.map((column, index) => ({ ...column, index }));
      let shown = columns.filter((column) => !only || !column.where || this.matches(column.where, fields));
      // Threads narrow it only where that leaves something: the latency check, for one, is timed with another number.
      const ofThreads = ({ where }) => !where || !where.threads || where.threads === fields.threads.value;
      if (only && shown.some((column) => column.where && ofThreads(column))) shown = shown.filter(ofThreads);
      const byWhere = columns.some((column) => column.where);
      const whole = byWhere && !shown.some((column) => column.where);
      if (whole) {
        this.left.textContent = "Nothing of this table was measured in what is chosen above: it is shown whole.";
        shown = columns;
      } else if (shown.length < columns.length) {
        this.left.textContent = `${columns.length - shown.length} columns of other machines, runtimes and precisions are left out.`;
      }
      let { rows } = table;
      if (only && rows.some((row) => row.names.machine)) {
        const here = rows.filter((row) => !row.names.machine || row.names.machine === fields.machine.value);
        if (here.length && here.length < rows.length) {
          this.left.textContent = `${rows.length - here.length} rows of other machines are left out.`;
          rows = here;
        }
      }
      // As in the files: no row of dashes, and a line that says whose there would be.
      const who = ({ names }) => names.model ?? names[table.headings[0][0]];
      const told = rows.filter((row) => shown.some((column) => row.cells[column.index]));
      const there = new Set(told.map(who));
      const absent = unique(rows.map(who)).filter((name) => name && !there.has(name));
      if (absent.length) this.left.textContent += ` Not measured here: ${absent.join(", ")}.`;
      rows = told;
      // A heading says what sets its column apart from the others, where its own words do not.
      const wheres = shown.map((column) => column.where).filter(Boolean);
      const known = unique(wheres.flatMap(Object.keys));
      const keys = known.filter((key) => unique(wheres.map((where) => where[key])).length > 1);
      const named = (key, value) => (SELF_EXPLAINING.has(key) ? value : `${key.replaceAll("_", " ")}: ${value}`);
      if (whole && known.length > keys.length) {
        const common = known.filter((key) => !keys.includes(key)).map((key) => named(key, wheres[0][key]));
        this.left.textContent += ` All of it is of: ${common.join(", ")}.`;
      }
      const groupOf = ({ group = "", title, where = {} }) =>
        [
          group,
          ...keys
            .filter((key) => where[key] && !`${group} ${title}`.toLowerCase().includes(where[key].toLowerCase()))
            .map((key) => named(key, where[key])),
        ]
          .filter(Boolean)
          .join(", ");
      const titled = (column) => ({
        id: `${column.key}${column.index}`,
        title: column.title,
        words: column.words,
        down: /fps|ap|ratio/.test(column.key),
        group: groupOf(column),
      });
      const used = new Map();
      const mark = (number) => letter(used.has(number) ? used.get(number) : used.set(number, used.size).get(number));
      const marks = (found) => ({ ...found, n: (found.n || []).map(mark) });
      const { headings } = table;
      this.table.update({
        name: section.title,
        columns: [...headings.map(([key, title]) => ({ id: key, title, words: true })), ...shown.map(titled)],
        rows: rows.map((row, number) => ({
          section: row.section,
          highlight: row.highlight,
          name: row.names[headings[0][0]],
          key: String(number),
          cells: [
            ...headings.map(([key]) => (row.names[key] ? cell(row.names[key]) : 0)),
            ...shown.map((column) => (row.cells[column.index] ? marks(row.cells[column.index]) : 0)),
          ],
        })),
      });
      this.notes.replaceChildren(
        ...[...used].map(([number, place]) => el("p", {}, el("sup", {}, letter(place)), ` ${table.notes[number]}`)),
        el(
          "p",
          {},
          (table.runs || []).length
            ? `Measured in ${table.runs.join(", ")}; the view Records has their commands and machines.`
            : "Nothing in this table was measured.",
        ),
      );
    },

    drawPlots(section, fields) {
      const mine = data.plots.filter(
        (one) => one.section === section.key && (state.only === "no" || !one.where || this.matches(one.where, fields)),
      );
      for (const host of [...drawn.keys()]) if (this.plots.contains(host)) drawn.delete(host);
      this.plots.replaceChildren();
      mine.slice(0, 8).forEach((one, number) => {
        const host = el("div", { class: "plot" });
        this.plots.append(
          el("figure", {}, el("figcaption", {}, one.title), host, saveButtons(host, `${section.key}_${number + 1}`)),
        );
        const bars = one.kind === "bars";
        const names = unique(one.series.map((line) => line.name));
        plot(host, `${one.title}: ${names.join(", ")}`, bars ? 130 + 26 * one.series[0].y.length : 380, (palette) => ({
          traces: one.series.map((line, index) => ({
            name: line.name,
            x: line.x,
            y: line.y,
            showlegend: one.series.findIndex((other) => other.name === line.name) === index,
            ...(bars
              ? { type: "bar", orientation: "h", marker: { color: line.colour } }
              : {
                  type: "scatter",
                  mode: line.low ? "lines+markers" : "lines",
                  line: {
                    color: COLOURS[names.indexOf(line.name) % COLOURS.length],
                    shape: one.kind === "steps" ? "hv" : "linear",
                    dash: names.indexOf(line.name) < COLOURS.length ? "solid" : "dash",
                  },
                  ...(line.low
                    ? {
                        error_y: {
                          type: "data",
                          symmetric: false,
                          array: line.high.map((end, i) => Math.max(0, end - line.y[i])),
                          arrayminus: line.low.map((end, i) => Math.max(0, line.y[i] - end)),
                          color: palette.quiet,
                        },
                      }
                    : {}),
                }),
          })),
          layout: {
            barmode: "stack",
            xaxis: { title: { text: one.x }, ...(one.log ? logAxis(one.series.flatMap((line) => line.x)) : {}) },
            yaxis: bars
              ? { autorange: "reversed", type: "category" }
              : {
                  title: { text: one.y },
                  ...(one.log ? logAxis(one.series.flatMap((line) => line.y)) : { rangemode: "tozero" }),
                },
            showlegend: names.length > 1,
          },
        }));
      });
    },
  };

  /** a, b, ... z, aa, ab, ...: the marks of notes, in the order in which they are shown. */
  function letter(number) {
    return (number >= 26 ? letter(Math.floor(number / 26) - 1) : "") + String.fromCharCode(97 + (number % 26));
  }

  // -------------------------------------------------------------------------- view: records

  const records = {
    build(host) {
      this.only = el("input", { type: "checkbox", change: () => change({ only: this.only.checked ? "yes" : "no" }) });
      this.table = new TableView("records", "Records");
      this.runs = el("div", { class: "runs" });
      host.append(
        el("div", { class: "controls" }, el("label", {}, this.only, " only the machine that is chosen above")),
        this.table.node,
        el("h3", {}, "Runs"),
        this.runs,
      );
      for (const [name, run] of Object.entries(data.runs)) {
        const list = el(
          "dl",
          {},
          Object.entries(run).flatMap(([term, text]) => [
            el("dt", {}, term),
            el("dd", {}, term === "command" ? el("code", {}, text) : text),
          ]),
        );
        this.runs.append(el("details", {}, el("summary", {}, `${name}: `, el("code", {}, run.command)), list));
      }
    },

    draw({ fields }) {
      this.only.checked = state.only !== "no";
      const rows = Object.entries(data.records)
        .filter(([, record]) => state.only === "no" || record.machine === fields.machine.value)
        .map(([id, record]) => ({
          name: id,
          key: id,
          records: [id],
          cells: [
            cell(id),
            cell(record.kind),
            cell(record.model),
            cell(record.backend || ""),
            cell(record.device || ""),
            cell(record.precision || ""),
            record.batch ? cell(record.batch) : 0,
            cell(record.input),
            cell(record.protocol || ""),
            cell(record.machine + (record.gpu ? `, ${record.gpu}` : "")),
            cell(minute(record.at)),
            cell((record.warnings || []).join("; ")),
          ],
        }));
      const titles = {
        record: "Record",
        kind: "Kind",
        model: "Network",
        backend: "Runtime",
        device: "Device",
        precision: "Precision",
        batch: "Batch",
        input: "Input",
        protocol: "Protocol",
        machine: "Machine",
        at: "Started",
        warnings: "Warnings",
      };
      this.table.update({
        columns: Object.entries(titles).map(([id, title]) => ({ id, title, words: id !== "batch" })),
        rows,
      });
    },
  };

  // ---------------------------------------------------------------------------- the page

  const SCREENS = { choose, rank, compare: comparing, history: growth, tables, records };

  function fillSelect(select, options, value) {
    const same = JSON.stringify(options);
    if (select.dataset.options !== same) {
      select.dataset.options = same;
      select.replaceChildren(...options.map(([key, label]) => el("option", { value: key }, label)));
    }
    select.value = value;
  }

  function optionsOf(key, values) {
    const field = FIELDS.find((one) => one.key === key);
    return values.map((value) => [
      value,
      value === "all" ? field.all : key === "machine" ? machineTitle(value) : value,
    ]);
  }

  /** A machine with its GPUs: people know it by them. */
  function machineTitle(machine) {
    const gpus = unique(data.settings.filter((s) => s.machine === machine && s.gpu).map((s) => s.gpu));
    return gpus.length ? `${machine}, ${gpus.join(", ")}` : machine;
  }

  function build() {
    for (const [view, title] of Object.entries(VIEWS)) {
      $("views").append(el("a", { "data-view": view }, title));
      const host = el(
        "section",
        { id: `view-${view}`, hidden: true, "aria-labelledby": `heading-${view}` },
        el("h2", { id: `heading-${view}` }, title),
      );
      $("main").append(host);
      SCREENS[view].build(host);
    }
    for (const { key, label } of FIELDS) {
      $("choice").append(
        el(
          "label",
          { class: `field-${key}` },
          label,
          el("select", { id: `choice-${key}`, change: (event) => change({ [key]: event.target.value }) }),
        ),
      );
    }
    $("choice").append(
      el(
        "label",
        {},
        "Data set",
        el("select", { id: "choice-dataset", change: (event) => change({ dataset: event.target.value }) }),
      ),
    );
    $("theme").addEventListener("change", () => change({ theme: $("theme").value }));
  }

  let theme = null;

  function draw() {
    document.documentElement.dataset.theme = ["light", "dark"].includes(state.theme) ? state.theme : "";
    $("theme").value = document.documentElement.dataset.theme;
    const found = chosen();
    for (const { key } of FIELDS) {
      const { values, value } = found.fields[key];
      fillSelect($(`choice-${key}`), optionsOf(key, values), value);
      $(`choice-${key}`).parentNode.hidden = values.length < 2 && ["threads", "batch", "gpu"].includes(key);
    }
    fillSelect(
      $("choice-dataset"),
      Object.entries(data.datasets).map(([key, { title }]) => [key, title]),
      state.dataset,
    );
    for (const link of $("views").children) {
      link.href = address({ view: link.dataset.view });
      if (link.dataset.view === state.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    for (const view of Object.keys(VIEWS)) $(`view-${view}`).hidden = view !== state.view;
    document.title = `${VIEWS[state.view]}: ${document.querySelector("h1").textContent}`;
    SCREENS[state.view].draw(found);
    if (theme !== null && theme !== state.theme) redrawAll();
    theme = state.theme;
  }

  function redrawAll() {
    for (const host of drawn.keys()) redraw(host);
  }

  function loadPlotly() {
    const source = $("plotly");
    const script = document.createElement("script");
    script.textContent = source.textContent;
    source.remove();
    document.head.append(script);
    redrawAll();
  }

  addEventListener("hashchange", () => {
    readAddress();
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "yes";
    redrawAll();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    redrawAll();
  });

  readAddress();
  build();
  draw();
  performance.mark("tables");
  // Plotly is large: everything else is painted before it is read.
  requestAnimationFrame(() =>
    setTimeout(() => {
      loadPlotly();
      performance.mark("plots");
      document.documentElement.dataset.ready = "yes";
    }, 0),
  );
})();
