/** Files put into one archive, as they are (stored, not packed: pictures are packed already). */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/** The check sum of a zip's entry. */
export function crc(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

function numbers(...pairs) {
  const out = new DataView(new ArrayBuffer(pairs.reduce((sum, [, bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [value, bytes] of pairs) {
    if (bytes === 2) out.setUint16(at, value, true);
    else out.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(out.buffer);
}

/** A File that is a zip of these; names that are there twice are numbered. */
export async function zipped(files, name) {
  const parts = [], ends = [], seen = new Set();
  let at = 0;
  for (const [i, file] of files.entries()) {
    const plain = seen.has(file.name) ? `${i}-${file.name}` : file.name;
    seen.add(plain);
    const path = new TextEncoder().encode(plain), body = new Uint8Array(await file.arrayBuffer());
    const facts = [[20, 2], [0x0800, 2], [0, 2], [0, 2], [0x21, 2], [crc(body), 4], [body.length, 4], [body.length, 4], [path.length, 2], [0, 2]];
    const head = numbers([0x04034b50, 4], ...facts);
    parts.push(head, path, body);
    ends.push(numbers([0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]), path);
    at += head.length + path.length + body.length;
  }
  const long = ends.reduce((sum, e) => sum + e.length, 0);
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [long, 4], [at, 4], [0, 2]);
  return new File([...parts, ...ends, end], name, { type: "application/zip" });
}
