import { HandleTransport } from '../transport/handle-transport';
import { FramedTransport, PackedFramed } from './framed-transport';

/** Connections of clients that other processes pump to this one, for as long as they are open here. */
export class ArrivedPumped {
  private readonly open = new Set<FramedTransport>();

  get size(): number {
    return this.open.size;
  }

  has(transport: FramedTransport): boolean {
    return this.open.has(transport);
  }

  /** Goes on with one of another process. It is paused. */
  unpack({ handle, state, unread }: PackedFramed): FramedTransport {
    const below = HandleTransport.unpack({ handle, hasReadEnd: false, isShutDown: false, peer: undefined });
    const transport = new ArrivedTransport(below, state, unread);
    transport.gone = () => void this.open.delete(transport);
    this.open.add(transport);
    return transport;
  }
}

class ArrivedTransport extends FramedTransport {
  /** It is closed, or taken out of this process. */
  gone: () => void = () => undefined;

  override pack(): PackedFramed {
    this.gone();
    return super.pack();
  }

  override onClose(error: Error | undefined): void {
    this.gone();
    super.onClose(error);
  }
}
