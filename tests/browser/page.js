// Once a file is chosen each step leaves its result in `results`; the title says when all are there.
const results = {}, chooser = document.querySelector("input");
await new Promise((resolve) => chooser.addEventListener("change", resolve));

async function assets() {
  const numbers = await Promise.all(Array.from({length: 50}, (_, n) => import(`/asset/${n}`)));
  return numbers.map((module) => module.default).reduce((sum, n) => sum + n, 0);
}

function echo(sizes) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/echo`), got = [];
    socket.binaryType = "arraybuffer";
    socket.onopen = () => sizes.forEach((size) => socket.send(new Uint8Array(size).fill(size % 251)));
    socket.onerror = () => reject(new Error("websocket failed"));
    socket.onmessage = ({data}) => {
      const bytes = new Uint8Array(data);
      got.push(bytes.every((byte) => byte === bytes.length % 251) ? bytes.length : "wrong");
      if (got.length === sizes.length) socket.close();
    };
    socket.onclose = ({wasClean}) => resolve([...got, wasClean]);
  });
}

function events() {
  return new Promise((resolve, reject) => {
    const source = new EventSource("/events"), got = [];
    source.onerror = () => reject(new Error("event source failed"));
    source.onmessage = ({data}) => {
      if (got.push(data) === 5) { source.close(); resolve(got.join(" ")); }
    };
  });
}

async function upload() {
  return (await fetch("/upload", {method: "POST", body: chooser.files[0]})).text();
}

async function download() {
  const reader = (await fetch("/download")).body.getReader();
  let count = 0, wrong = 0;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return [count, wrong];
    for (let at = 0; at < value.length; at += 1) if (value[at] !== ((count + at) & 255)) wrong += 1;
    count += value.length;
  }
}

// The versions of HTTP that all this came by.
function spoken() {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return [...new Set(entries.map((entry) => entry.nextHopProtocol))].join(" ");
}

const steps = {assets, echo: () => echo([1, 125, 70000, 300000]), events, upload, download, spoken};
for (const [name, step] of Object.entries(steps)) {
  try { results[name] = await step(); } catch (error) { results[name] = `${error}`; }
}
document.querySelector("#result").textContent = JSON.stringify(results);
document.title = "done";
