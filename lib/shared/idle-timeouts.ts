import { Duration } from 'aws-cdk-lib';

/** What an Application Load Balancer accepts. */
export const IDLE_TIMEOUT_BOUNDS = { min: Duration.seconds(1), max: Duration.seconds(4000) } as const;

/**
 * How long the load balancer leaves a connection on which nothing moves. WebSocket libraries that ping do so every few
 * seconds to minutes; the service's own default of a minute would cut the slower ones.
 */
export const IDLE_TIMEOUT = Duration.minutes(10);

/**
 * How long a proxy keeps an idle connection of the load balancer: longer than any load balancer does. Were the proxy to
 * close first, a request already on its way would end in a 502.
 */
export const PROXY_IDLE_TIMEOUT = IDLE_TIMEOUT_BOUNDS.max.plus(Duration.minutes(1));

/**
 * How long a proxy waits for a backend that is quiet within a request: as long as a load balancer does by default, so that
 * no response is lost that came before.
 */
export const UPSTREAM_IDLE_TIMEOUT = Duration.minutes(1);
export const UPSTREAM_IDLE_BOUNDS = { min: Duration.seconds(1), max: Duration.hours(1) } as const;

/** What a network load balancer accepts for TCP. */
export const TCP_IDLE_TIMEOUT_BOUNDS = { min: Duration.seconds(60), max: Duration.seconds(6000) } as const;

/** Its own default. */
export const TCP_IDLE_TIMEOUT = Duration.seconds(350);
