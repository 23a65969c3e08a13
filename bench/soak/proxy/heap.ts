import { HOST } from '../../processes/ports';

/** What a Node process keeps after a collection that was forced, in bytes: its heap, and the buffers outside of it. */
export async function keptBytes(inspectorPort: number): Promise<number> {
  const list = (await (await fetch(`http://${HOST}:${inspectorPort}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(list[0]!.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('The inspector could not be reached')), { once: true });
  });
  try {
    // Twice: the second frees what the finalizers of the first one released.
    await call(socket, 1, 'HeapProfiler.collectGarbage');
    await call(socket, 2, 'HeapProfiler.collectGarbage');
    const usage = await call(socket, 3, 'Runtime.getHeapUsage');
    return (usage.usedSize ?? 0) + (usage.backingStorageSize ?? 0);
  } finally {
    socket.close();
  }
}

function call(socket: WebSocket, id: number, method: string): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The inspector did not respond to ${method}`)), 30_000);
    const read = ({ data }: MessageEvent) => {
      const message = JSON.parse(String(data)) as { id?: number; result: Record<string, number> };
      if (message.id !== id) return;
      clearTimeout(timer);
      socket.removeEventListener('message', read);
      resolve(message.result);
    };
    socket.addEventListener('message', read);
    socket.send(JSON.stringify({ id, method }));
  });
}
