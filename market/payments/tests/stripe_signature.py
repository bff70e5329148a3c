"""Signs webhooks with Stripe's own SDK for tests/stripe.rs: reads JSON lines {secret, at, payload}, writes headers."""

import json
import sys

import stripe

for line in sys.stdin:
    asked = json.loads(line)
    signed = f"{asked['at']}.{asked['payload']}"
    signature = stripe.WebhookSignature._compute_signature(signed, asked["secret"])
    header = f"t={asked['at']},v1={signature}"
    # What the SDK's own check says of it, so that both sides are Stripe's.
    stripe.WebhookSignature.verify_header(asked["payload"], header, asked["secret"])
    print(header, flush=True)
