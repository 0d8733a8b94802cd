"""Rate limits (Flask-Limiter): so many requests of one client in a time, whatever they ask for.

Each process counts for itself, or all count in one Redis, which is exact. When that cannot be reached, each process
goes on counting for itself until it can.
"""

import logging
import math
import time

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import ConfigurationError

from advisor.errors import AdvisorError, Problem
from advisor.settings import Settings
from advisor.web.clients import client
from advisor.web.problems import problem

EXEMPT = {"healthz", "readyz", "metrics"}
STORAGE_SECONDS = 0.5


def register(app: Flask, settings: Settings) -> None:
    """Count requests and refuse those over the limit. Raises AdvisorError where the counters cannot be kept."""
    if settings.rate_limit is None:
        return
    redis = not settings.rate_limit_storage.startswith("memory")
    waits = {"socket_connect_timeout": STORAGE_SECONDS, "socket_timeout": STORAGE_SECONDS}
    try:
        limiter = Limiter(
            client,
            app=app,
            application_limits=[settings.rate_limit],
            strategy="fixed-window",
            storage_uri=settings.rate_limit_storage,
            storage_options=waits if redis else {},  # type: ignore[arg-type]  # they are floats
            in_memory_fallback_enabled=redis,
            swallow_errors=True,
            fail_on_first_breach=True,
        )
    except ConfigurationError:
        raise AdvisorError(
            "ADVISOR_RATE_LIMIT_STORAGE names a Redis, for which the package redis is missing: "
            "`pip install 'seller-program-advisor[redis]'`."
        ) from None
    limiter.logger = logging.getLogger("advisor.limits")
    # At INFO it would log whoever is refused.
    limiter.logger.setLevel(max(logging.WARNING, limiter.logger.getEffectiveLevel()))
    limiter.request_filter(_is_exempt)

    @app.after_request
    def say_what_is_left(response: Response) -> Response:
        counted = limiter.current_limits
        if not counted:
            return response
        names = [f'"{one.limit.get_expiry()}s"' for one in counted]
        now = time.time()
        try:
            left = [(name, one.remaining, _seconds(one.window.reset_time - now)) for name, one in zip(names, counted, strict=True)]
        except Exception:  # noqa: BLE001  # whatever a storage raises that has just gone away
            return response
        policy = [f"{name};q={one.limit.amount};w={one.limit.get_expiry()}" for name, one in zip(names, counted, strict=True)]
        response.headers["RateLimit-Policy"] = ", ".join(policy)
        response.headers["RateLimit"] = ", ".join(f"{name};r={rest};t={reset}" for name, rest, reset in left)
        if response.status_code == 429:
            waits = [reset for (_, _, reset), one in zip(left, counted, strict=True) if one.breached]
            response.headers["Retry-After"] = str(max(waits, default=1))
        return response

    @app.errorhandler(RateLimitExceeded)
    def exceeded(error: RateLimitExceeded) -> Response:
        limit = error.limit.limit
        detail = f"More than {limit.amount} requests came in {limit.get_expiry()} seconds. Wait for Retry-After seconds."
        return problem(429, detail, [Problem("", "rate_limited", detail)])


def _is_exempt() -> bool:
    return request.method == "OPTIONS" or request.endpoint in EXEMPT


def _seconds(left: float) -> int:
    return max(1, math.ceil(left))
