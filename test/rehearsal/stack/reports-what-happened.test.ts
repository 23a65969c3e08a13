import type { Template } from '../../../rehearsal/template/assembly/template';
import { Resources } from '../../../rehearsal/template/resources/resources';
import { StackRecord } from '../../../rehearsal/stack/stack-record';

const listResources = (Resources_: Template['Resources']) =>
  new Resources({
    name: 'Shop',
    region: 'us-east-1',
    account: '123456789012',
    template: { Resources: Resources_ },
    files: new Map(),
    images: new Map(),
  });
const bucket = (BucketName: string) => ({ Type: 'AWS::S3::Bucket', Properties: { BucketName } });

test('a stack reports its resources, and what came, changed and went', () => {
  const record = new StackRecord(listResources({ A: bucket('a'), B: bucket('b') }));
  const notified = () => record.description.events?.map(({ logicalId, status }) => `${logicalId} ${status}`) ?? [];
  expect([record.description.resources, notified()]).toEqual([[], ['Shop CREATE_IN_PROGRESS']]);
  record.settle('CREATE_COMPLETE');
  expect(record.description.resources).toMatchObject([{ logicalId: 'A', type: 'AWS::S3::Bucket' }, { logicalId: 'B' }]);
  expect(notified().slice(1)).toEqual(['A CREATE_COMPLETE', 'B CREATE_COMPLETE', 'Shop CREATE_COMPLETE']);
  record.begin();
  record.apply(listResources({ A: bucket('other'), C: bucket('c') }));
  record.settle('UPDATE_COMPLETE');
  expect(notified().slice(4)).toEqual([
    'Shop UPDATE_IN_PROGRESS',
    'A UPDATE_COMPLETE',
    'C CREATE_COMPLETE',
    'B DELETE_COMPLETE',
    'Shop UPDATE_COMPLETE',
  ]);
  record.begin();
  record.settle('UPDATE_ROLLBACK_COMPLETE', 'it broke');
  expect(record.description.events?.slice(-2)).toMatchObject([
    { status: 'UPDATE_IN_PROGRESS' },
    { status: 'UPDATE_ROLLBACK_COMPLETE', reason: 'it broke' },
  ]);
  expect(new Set(record.description.events?.map(({ id }) => id)).size).toBe(notified().length);
});
