// The picture for the README: CPU for one request over sockets, in units of a bare server's. It brings its own background,
// so that it is read on a light page and on a dark one.

export type Bar = { readonly name: string; readonly ours: number; readonly bundled: number };

const WIDTH = 760;
const LEFT = 230;
const RIGHT = 60;
const ROW = 44;
const BAR = 14;
const TOP = 84;

const COLOURS = { ours: "#2f6fd0", bundled: "#b9c0cc", ink: "#1d2430", faint: "#e3e7ee", paper: "#ffffff" } as const;

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const label = (x: number, y: number, words: string, more = ""): string =>
  `<text x="${String(x)}" y="${String(y)}" fill="${COLOURS.ink}" font-size="12" ${more}>${escape(words)}</text>`;

const bar = (y: number, width: number, colour: string, value: number): string =>
  `<rect x="${String(LEFT)}" y="${String(y)}" width="${width.toFixed(1)}" height="${String(BAR)}" rx="2" fill="${colour}"/>` +
  label(LEFT + width + 6, y + 11, value.toFixed(2));

/** An SVG document. */
export const plot = (bars: readonly Bar[], title: string): string => {
  const most = Math.ceil(Math.max(...bars.flatMap(({ ours, bundled }) => [ours, bundled])));
  const scale = (WIDTH - LEFT - RIGHT) / most;
  const height = TOP + bars.length * ROW + 16;
  const rows = bars.map(({ name, ours, bundled }, index) => {
    const y = TOP + index * ROW;
    return [
      label(LEFT - 10, y + 19, name, 'text-anchor="end"'),
      bar(y, ours * scale, COLOURS.ours, ours),
      bar(y + BAR + 2, bundled * scale, COLOURS.bundled, bundled),
    ].join("\n");
  });
  const bare = LEFT + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" font-family="system-ui, sans-serif" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="${COLOURS.paper}"/>`,
    label(16, 24, title, 'font-weight="600"'),
    `<rect x="16" y="36" width="12" height="12" fill="${COLOURS.ours}"/>${label(34, 46, "openclaw-webhooks")}`,
    `<rect x="170" y="36" width="12" height="12" fill="${COLOURS.bundled}"/>${label(188, 46, "bundled plugin")}`,
    `<line x1="${String(bare)}" x2="${String(bare)}" y1="${String(TOP - 8)}" y2="${String(height - 12)}" stroke="${COLOURS.ink}" stroke-dasharray="3 3"/>`,
    label(bare, TOP - 12, "bare Node server = 1", 'text-anchor="middle"'),
    ...rows,
    "</svg>\n",
  ].join("\n");
};
