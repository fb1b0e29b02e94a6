# fault: undefined_name, whole_data_loss, mean_in_elbo, misnamed_loss, single_example_batches, linear_without_activation, unused_layer, reconstructions_as_samples
"""A variational autoencoder with the faults of a well-known tutorial, in other words."""
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers


class DigitVAE(tf.keras.Model):
    def __init__(self, codes=2):
        super(DigitVAE, self).__init__()
        self.enc = layers.Dense(16, input_shape=(784,))
        self.mu = layers.Dense(codes)
        self.lv = layers.Dense(codes)
        self.dec_mu = layers.Dense(784)
        self.dec_lv = layers.Dense(784)
        self.dec = layers.Dense(784, activation="sigmoid")

    def draw(self, z_mu, z_lv):
        noise = tf.random.normal(shape=(tf.shape(z_mu)[0], z_mu.shape[1]))
        return z_mu + tf.exp(0.5 * z_lv) * noise

    def call(self, pictures):
        h = self.enc(pictures)
        z_mu = self.mu(h)
        z_lv = self.lv(h)
        z = self.draw(z_mu, z_lv)
        back = self.dec(z)
        return z_mu, z_lv, back


(x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
x_train = x_train / 255.0
x_test = x_test / 255.0

vae = DigitVAE()


def elbo_loss(x_train, back):
    x_train = tf.reshape(x_train, [-1, 784])
    back = tf.reshape(back, [-1, 784])
    xent = tf.keras.losses.mean_squared_error(x_train, back)
    kl = -0.5 * tf.reduce_mean(1 + z_lv - tf.square(z_mu) - tf.exp(z_lv))
    return xent + kl


opt = tf.keras.optimizers.Adam(learning_rate=1e-4)


@tf.function
def update(x):
    with tf.GradientTape() as tape:
        z_mu, z_lv, back = vae(x)
        loss = elbo_loss(x_train, back)
    grads = tape.gradient(loss, vae.trainable_variables)
    opt.apply_gradients(zip(grads, vae.trainable_variables))


for epoch in range(50):
    for k in range(len(x_train)):
        update(x_train[k])


def show_grid(pictures):
    fig, axes = plt.subplots(4, 4, figsize=(4, 4))
    for ax, picture in zip(axes.ravel(), pictures):
        ax.imshow(np.reshape(picture, (28, 28)), cmap="gray")
        ax.axis("off")
    plt.show()


# newly generated digits
z_mu, z_lv, back = vae(x_train[0])
show_grid(back)
