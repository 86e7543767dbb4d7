/** A whole number above 0 from the environment; ends the process if there is none. */
export function setting(name) {
  const value = Number(process.env[name]);
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`${name} is '${process.env[name] ?? ''}'; it must be a whole number above 0.`);
    process.exit(78);
  }
  return value;
}
