type Task = () => Promise<void> | void;

const tasks = new Set<Task>();

/** Runs `task` when the test file ends, unless the returned function took it back before. */
export function onCleanup(task: Task): () => void {
  tasks.add(task);
  return () => {
    tasks.delete(task);
  };
}

/** Runs every task that is left, the newest first; all of them run, and the first error is thrown at the end. */
export async function cleanUp(): Promise<void> {
  const errors: unknown[] = [];
  for (const task of [...tasks].reverse()) {
    tasks.delete(task);
    try {
      await task();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
