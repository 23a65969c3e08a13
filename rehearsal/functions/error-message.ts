/** The message in the JSON in which Lambda reports an exception, or the text itself. */
export function errorMessage(cause: string): string {
  try {
    const { errorMessage: message } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof message === 'string' ? message : cause;
  } catch {
    return cause;
  }
}
