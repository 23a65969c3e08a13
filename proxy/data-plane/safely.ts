/** Wraps the handler of an event: what it throws goes to the one who owns the fault, and not to the process. */
export type Safely = <A extends readonly unknown[]>(handle: (...args: A) => void) => (...args: A) => void;

export function safely(faulted: (error: unknown) => void): Safely {
  return (handle) =>
    (...args) => {
      try {
        handle(...args);
      } catch (error) {
        faulted(error);
      }
    };
}
