import type { Departure, Handing } from '../../../proxy/data-plane/contract/handover';
import { Receiver } from '../../../proxy/handover/receiver';
import { Sender } from '../../../proxy/handover/sender';
import { SYSTEM_CLOCK } from '../../../proxy/process/clock';

test.each(['is said to be its own', 'is left by a sender that is gone'])(
  'a connection that cannot go on costs no other one, where it %s',
  async (how) => {
    const begun: string[] = [];
    const warned: object[] = [];
    let handedOver = 0;
    let tell: () => void = () => undefined;
    const allBegun = new Promise<void>((resolve) => (tell = resolve));
    const handing = {
      arrive: ({ bytes }: { bytes: readonly Buffer[] }) => ({
        begin: () => {
          const name = bytes[0]!.toString();
          if (name === 'broken') throw new Error('It cannot go on');
          if (begun.push(name) === 2) tell();
        },
        drop: () => undefined,
      }),
    } as unknown as Handing;
    const receiver = await Receiver.listen(handing, { warn: (figures) => void warned.push(figures) });
    const sender = await Sender.connect(receiver.address, SYSTEM_CLOCK, {
      ...{ late: () => undefined, kept: () => undefined, rejected: () => undefined, ready: () => undefined },
      handedOver: () => void (handedOver += 1),
    });
    for (const name of ['first', 'broken', 'last']) sender.offer(offerOf(name));
    if (how === 'is left by a sender that is gone') sender.close();
    await allBegun;
    expect(begun).toEqual(['first', 'last']);
    expect(warned).toEqual([{ why: 'It cannot go on' }]);
    expect(handedOver).toBe(how === 'is said to be its own' ? 3 : 0);
    sender.close();
    await receiver.stopListening();
  },
);

function offerOf(name: string): Departure {
  const data = { type: 'accepted', ends: [] } as const;
  return { data, bytes: [Buffer.from(name)], handles: [], keep: () => undefined, release: () => undefined };
}
