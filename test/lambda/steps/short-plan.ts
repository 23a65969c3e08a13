/** Two stages that some sixty requests without an error prove, each. */
export const SHORT_PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 4 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 4 },
  ],
  pollSeconds: 5,
  judge: { errorBudget: 0.06, inconclusive: 'rollBack' },
};
