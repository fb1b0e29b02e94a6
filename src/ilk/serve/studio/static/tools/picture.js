/** Pictures of files as the model takes them. */

const MOST = 1024;

/** A picture file as an item, cut from its middle to the model's height and width; without those at most 1024 wide and high. Throws where it is none. */
export async function pictureOf(file, shape = null) {
  const bitmap = await createImageBitmap(file);
  const less = Math.min(1, MOST / Math.max(bitmap.width, bitmap.height));
  const [high, wide] = shape ?? [Math.round(bitmap.height * less), Math.round(bitmap.width * less)];
  const grow = Math.max(wide / bitmap.width, high / bitmap.height), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [wide, high];
  const pen = canvas.getContext("2d"), [w, h] = [bitmap.width * grow, bitmap.height * grow];
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, (wide - w) / 2, (high - h) / 2, w, h);
  bitmap.close();
  return { mime: "image/png", b64: base64(canvas) };
}

/** What a canvas shows, as a PNG in base64. */
export const base64 = (canvas) => canvas.toDataURL("image/png").split(",")[1];

/** The picture of an item, ready to be drawn. */
export function decoded(item) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error("picture"));
    image.src = `data:${item.mime};base64,${item.b64}`;
  });
}
