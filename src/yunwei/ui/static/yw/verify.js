// The SM3 digest (GB/T 32905) of a file, computed here: the file never leaves this machine.
const rotate = (x, n) => (x << n) | (x >>> (32 - n));
const T = Array.from({ length: 64 }, (_, j) => rotate(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32));
const START = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];

export class Sm3 {
  constructor() {
    this.state = Int32Array.from(START);
    this.words = new Int32Array(68);
    this.rest = new Uint8Array(64);
    this.held = 0;
    this.length = 0;
  }

  update(data) {
    this.length += data.length;
    let at = 0;
    if (this.held) {
      at = Math.min(64 - this.held, data.length);
      this.rest.set(data.subarray(0, at), this.held);
      this.held += at;
      if (this.held < 64) return this;
      this.block(this.rest, 0);
      this.held = 0;
    }
    for (; at + 64 <= data.length; at += 64) this.block(data, at);
    this.rest.set(data.subarray(at));
    this.held = data.length - at;
    return this;
  }

  hex() {
    const size = this.length;
    const end = new Uint8Array(this.held < 56 ? 64 - this.held : 128 - this.held);
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(size / 0x20000000));
    view.setUint32(end.length - 4, (size << 3) >>> 0);
    this.update(end);
    return Array.from(this.state, (x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  }

  block(data, at) {
    const w = this.words;
    for (let j = 0; j < 16; j++, at += 4) {
      w[j] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let j = 16; j < 68; j++) {
      const x = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15);
      w[j] = x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13], 7) ^ w[j - 6];
    }
    let [a, b, c, d, e, f, g, h] = this.state;
    for (let j = 0; j < 64; j++) {
      const r = rotate(a, 12);
      const s = rotate((r + e + T[j]) | 0, 7);
      const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
      const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
      const x = (ff + d + (s ^ r) + (w[j] ^ w[j + 4])) | 0;
      const y = (gg + h + s + w[j]) | 0;
      [d, c, b, a] = [c, rotate(b, 9), a, x];
      [h, g, f, e] = [g, rotate(f, 19), e, y ^ rotate(y, 9) ^ rotate(y, 17)];
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => { this.state[i] ^= x; });
  }
}

/** The digest of a file, read piece by piece; `told` hears how much of it is done, 0 to 1. */
export async function digestOf(file, told) {
  const sm3 = new Sm3();
  const piece = 4 << 20;
  for (let at = 0; at < file.size; at += piece) {
    sm3.update(new Uint8Array(await file.slice(at, at + piece).arrayBuffer()));
    told(Math.min(1, (at + piece) / file.size));
    await new Promise((go) => setTimeout(go)); // the page stays alive under a large file
  }
  return sm3.hex();
}

const drop = document.getElementById("drop");
if (drop) {
  const field = document.getElementById("h");
  const progress = document.getElementById("progress");
  const ask = async (file) => {
    try {
      field.value = await digestOf(file, (share) => {
        progress.textContent = drop.dataset.working.replace("{percent}", `${Math.round(share * 100)} %`);
      });
      progress.textContent = drop.dataset.done;
      document.getElementById("file").disabled = true; // it must not travel with the form
      document.getElementById("ask").requestSubmit();
    } catch {
      progress.textContent = drop.dataset.failed;
    }
  };
  drop.hidden = false;
  document.getElementById("file").addEventListener("change", (event) => event.target.files[0] && ask(event.target.files[0]));
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault(); // never opens the file in place of the page
      if (kind === "drop" && event.dataTransfer.files[0]) ask(event.dataTransfer.files[0]);
    });
  }
}
