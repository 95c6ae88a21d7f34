// The page of a coordinator. What it shows comes from others: it is set as text, never as HTML.
"use strict";

const every_ms = 2000;
const rows_max = 200;
const at = (id) => document.getElementById(id);

class Refused extends Error {}

// The token is kept by this tab alone.
async function ask(path, order) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` };
  const options = { headers, cache: "no-store" };
  if (order !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(order);
    headers["Content-Type"] = "application/json";
  }
  const response = await fetch(`/api/v1/${path}`, options);
  if (response.status === 401) throw new Refused();
  const text = await response.text();
  if (!response.headers.get("Content-Type").startsWith("application/json")) throw new Error(text);
  const answer = JSON.parse(text);
  if (answer.error && !response.ok) throw new Error(answer.error.message);
  return answer;
}

function element(name, text, kind) {
  const out = document.createElement(name);
  if (text !== undefined) out.textContent = text;
  if (kind) out.className = kind;
  return out;
}

function cell(content, kind) {
  const out = element("td", undefined, kind);
  out.append(content);
  return out;
}

function button(text, about, action, kind) {
  const out = element("button", text, kind);
  out.type = "button";
  out.setAttribute("aria-label", `${text} ${about}`);
  out.addEventListener("click", action);
  return out;
}

const kinds = { succeeded: "good", open: "good", failed: "bad", cancelled: "bad", "cut off": "bad",
                running: "work", finishing: "work" };
const state_of = (state) => element("span", state, `state ${kinds[state] ?? "wait"}`);
const has_ended = (job) => ["succeeded", "failed", "cancelled"].includes(job.state);
const when = (seconds) => new Date(seconds * 1000).toLocaleString();

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (bytes >= 1024 && unit + 1 < units.length) { bytes /= 1024; ++unit; }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

async function order(question, path, what) {
  if (!confirm(question)) return;
  try {
    await ask(path, what);
  } catch (error) {
    return show_trouble(error);
  }
  refresh();
}

function progress_of(stage) {
  const out = element("span");
  const bar = element("progress");
  bar.max = Math.max(stage.chunks, 1);
  bar.value = stage.chunks_done;
  bar.setAttribute("aria-label", `${stage.name}: ${stage.chunks_done} of ${stage.chunks} chunks`);
  out.append(bar, ` ${stage.chunks_done}/${stage.chunks}`);
  return out;
}

function job_row(job) {
  const row = element("tr");
  const stage = job.stages[job.stages.length - 1];
  const open = button(`${job.job}`, "", () => show_job(job.job), "link");
  open.setAttribute("aria-label", `Details of job ${job.job}`);
  row.append(cell(open, "number"), cell(state_of(job.state)), cell(job.task),
             cell(stage ? stage.name : "–"), cell(stage ? progress_of(stage) : "–", "number"),
             cell(`${job.stages.reduce((sum, each) => sum + each.retries, 0)}`, "number"),
             cell(when(job.submitted), "number"), cell(job.owner));
  const cancel = button("Cancel", `job ${job.job}`, () =>
    order(`Cancel job ${job.job}?`, `jobs/${job.job}/cancel`, {}));
  row.append(cell(has_ended(job) ? "" : cancel));
  return row;
}

function worker_row(worker) {
  const row = element("tr");
  row.append(cell(worker.name), cell(state_of(worker.state)), cell(`${worker.attempts}`, "number"),
             cell(`${worker.slots}`, "number"), cell(worker.host), cell(`${worker.pid}`, "number"),
             cell(worker.version), cell(worker.sandbox, "long"));
  const drain = button("Drain", worker.name, () =>
    order(`Let ${worker.name} end what it runs, and leave?`, "drain", { worker: worker.name }));
  row.append(cell(worker.state === "draining" ? "" : drain));
  return row;
}

let shown = null;   // the job in the detail
let next_line = 0;  // of its log

function show_job(job) {
  shown = job;
  next_line = 0;
  at("log").textContent = "";
  at("detail").hidden = false;
  at("detail-title").textContent = `Job ${job}`;
  refresh();
}

async function show_detail() {
  const job = shown;
  const state = await ask(`jobs/${job}`);
  const facts = [["State", state.state], ["Task", state.task], ["Input", size(state.input_bytes)]];
  for (const each of state.stages)
    facts.push([each.name, `${each.chunks_done} of ${each.chunks} chunks, ${size(each.bytes_done)} ` +
                           `of ${size(each.bytes)}, ${each.elapsed_s.toFixed(1)} s, ` +
                           `${each.retries} retries`]);
  if (state.output) facts.push(["Output", state.output]);
  if (state.state === "succeeded")
    facts.push(["Result", `${state.records} lines, ${size(state.result_bytes)}`]);
  if (state.ended) facts.push(["Ended", when(state.ended)]);
  if (state.error) facts.push(["Error", state.error.message]);
  if (state.error && state.error.hint) facts.push(["Remedy", state.error.hint]);
  const from = next_line;
  const log = await ask(`jobs/${job}/log?from=${from}`);
  if (job !== shown || from !== next_line) return;  // somebody has clicked meanwhile
  at("facts").replaceChildren(...facts.flatMap(([name, text]) =>
    [element("dt", name), element("dd", text)]));
  if (log.lines.length === 0) return;
  next_line = log.next;
  const pane = at("log");
  const was_at_end = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 4;
  pane.append(log.lines.join("\n") + "\n");
  if (was_at_end) pane.scrollTop = pane.scrollHeight;
}

// Who is in the table by keyboard stays at the same button.
function fill(table, rows) {
  const body = at(table);
  const active = document.activeElement;
  const label = body.contains(active) ? active.getAttribute("aria-label") : null;
  body.replaceChildren(...rows);
  if (label !== null)
    body.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus({ preventScroll: true });
  at(`no-${table}`).hidden = rows.length !== 0;
}

function show_trouble(error) {
  const is_refused = error instanceof Refused;
  at("login").hidden = !is_refused;
  at("content").hidden = is_refused;
  at("trouble").hidden = is_refused && !sessionStorage.getItem("token");
  at("trouble").textContent = is_refused ? "This is not the token." :
    `No answer from the coordinator: ${error.message}. What you see may be old.`;
  if (is_refused) at("summary").textContent = "";
}

async function refresh() {
  try {
    const [status, jobs, workers] =
      await Promise.all([ask("status"), ask("jobs"), ask("workers")]);
    at("summary").textContent =
      `${count(workers.workers.length, "worker")}, ${count(status.slots, "slot")}, ` +
      `${status.attempts} at work; ${count(status.open_jobs, "open job")}, ` +
      `${count(status.open_calls, "open call")}, ${count(status.clients, "client")}; ` +
      `version ${status.version}`;
    fill("jobs", jobs.jobs.slice(-rows_max).reverse().map(job_row));
    fill("workers", workers.workers.slice(0, rows_max).map(worker_row));
    if (shown !== null) await show_detail();
    at("login").hidden = at("trouble").hidden = true;
    at("content").hidden = false;
  } catch (error) {
    show_trouble(error);
  }
}

at("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", at("token").value.trim());
  at("token").value = "";
  refresh();
});
at("close").addEventListener("click", () => {
  shown = null;
  at("detail").hidden = true;
});

(async () => {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((done) => setTimeout(done, every_ms));
  }
})();
