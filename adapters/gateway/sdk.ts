// The Gateway's own modules for plugins. The package is absent at build time; the Gateway provides it at run time.

/** What a module exports; nothing where the Gateway does not have it. Never rejects. */
export const importSdk = async (name: string): Promise<{ readonly [name: string]: unknown }> => {
  // not a literal, so that no bundler looks for it
  const specifier: string = `openclaw/plugin-sdk/${name}`;
  try {
    return await import(specifier);
  } catch {
    return {};
  }
};
