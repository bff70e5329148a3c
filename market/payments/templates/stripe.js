// The pay page with Stripe: Stripe's own frame takes the card, so that no number comes to us.
const box = document.getElementById("stripe");
const form = document.getElementById("stripe-form");
const problem = document.getElementById("stripe-error");
const { key, secret, return: returnTo, action } = box.dataset;
const stripe = Stripe(key);

function tell(result) {
  if (result.error) {
    problem.textContent = result.error.message;
    form.querySelector("button").disabled = false;
  } else {
    location.assign(returnTo);
  }
}

if (action === "true") {
  // The card is known; the bank wants to know that it is the buyer.
  form.hidden = true;
  stripe.handleNextAction({ clientSecret: secret }).then(tell);
} else {
  const elements = stripe.elements({ clientSecret: secret });
  elements.create("payment").mount("#stripe-element");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.querySelector("button").disabled = true;
    problem.textContent = "";
    tell(await stripe.confirmPayment({ elements, confirmParams: { return_url: returnTo }, redirect: "if_required" }));
  });
}
