import awscdk from 'eslint-plugin-awscdk';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist',
      'cdk.out',
      'node_modules',
      'examples',
      '.stryker-tmp',
      'reports',
      '**/*.mjs',
      '**/jest*.config.js',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // `||` as a default swallows 0, which is a weight.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true, boolean: true } }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'as' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowNullish: true, allowBoolean: true, allowNever: true },
      ],
      // An interface may promise a Promise that an implementation has at once; methods are called on their objects here.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
    },
  },
  {
    // The size habits of CONTRIBUTING.md. A file is one idea, whatever its length; a longer function says why.
    files: ['{core,lib,lambda,proxy,rehearsal,check,compare,bin,bench,client}/**/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 15],
    },
  },
  {
    files: ['{core,lambda,proxy,rehearsal,check,compare}/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'BinaryExpression[operator="in"][left.type!="Literal"]',
          message:
            'A name from outside may be that of a member of Object.prototype: Object.hasOwn, or `own` of core/validation/own.ts.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name="toMatchObject"] Property > Literal[regex].value',
          message: 'toMatchObject takes any value for a regular expression: expect.stringMatching(…).',
        },
      ],
    },
  },
  {
    files: ['lib/**/*.ts', 'bin/app.ts'],
    plugins: awscdk.configs.recommended.plugins,
    rules: {
      ...awscdk.configs.recommended.rules,
      // A user goes on with what a construct made (`service.enableServiceConnect`, `listener.addAction`): concrete types.
      'awscdk/no-construct-in-public-property-of-construct': 'off',
    },
  },
  {
    // A cutover owns its load balancer and its proxies: it orders their creation, guards their deletion, looks at their parts.
    files: ['lib/cutover/*.ts'],
    rules: { 'awscdk/no-construct-in-interface': 'off' },
  },
  {
    // Functions that take a scope, and states whose ids are the names that operators read in the console.
    files: ['lib/cutover/cutover-definition.ts', 'lib/cutover/cutover-functions.ts'],
    rules: {
      'awscdk/require-passing-this': 'off',
      'awscdk/no-variable-construct-id': 'off',
      'awscdk/pascal-case-construct-id': 'off',
    },
  },
  prettier,
);
