import jax
import jax.numpy as jnp
import optax
from flax import linen as nn


class Encoder(nn.Module):
    codes: int

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(500)(x))
        return nn.Dense(self.codes)(x), nn.Dense(self.codes)(x)


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, z):
        z = nn.relu(nn.Dense(500)(z))
        return nn.Dense(784)(z)


class VAE(nn.Module):
    codes: int = 20

    def setup(self):
        self.encoder, self.decoder = Encoder(self.codes), Decoder()

    def __call__(self, x, key):
        mean, logvar = self.encoder(x)
        z = mean + jnp.exp(0.5 * logvar) * jax.random.normal(key, logvar.shape)
        return self.decoder(z), mean, logvar


def loss_fn(params, model, batch, key):
    logits, mean, logvar = model.apply({"params": params}, batch, key)
    bce = optax.sigmoid_binary_cross_entropy(logits, batch).sum(-1)
    kld = -0.5 * jnp.sum(1 + logvar - jnp.square(mean) - jnp.exp(logvar), axis=-1)
    return (bce + kld).mean()


@jax.jit
def train_step(state, batch, key):
    loss, grads = jax.value_and_grad(loss_fn)(state.params, VAE(), batch, key)
    return state.apply_gradients(grads=grads), loss
