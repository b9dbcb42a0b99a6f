// A Gateway looks for paths of image files in the text of a prompt, and shows the model those that it finds in the agent's workspace
// and among the media that it has received. A text from outside must name none, because a stranger would choose what is shown.

/** What stands between two characters that end a path for the Gateway. */
const TOKEN = /[^\s"'`()[\]]+/gu;

/** The point before the ending of an image. */
const IMAGE = /\.(?=(?:png|jpe?g|gif|webp|bmp|tif|hei[cf]))/giu;

const WEB = /^https?:\/\//iu;

/** `file:` is looked for in the middle of words too, so that then no word is left as it is. */
const FILE = /file:/iu;

//= RUN-6
/** The text, with `[.]` for the point before the ending of an image; addresses in the web stay as they are. */
export const withoutLocalImages = (text: string): string => {
  const mayBeWeb = !FILE.test(text);
  return text.replace(TOKEN, (token) => (mayBeWeb && WEB.test(token) ? token : token.replace(IMAGE, "[.]")));
};
