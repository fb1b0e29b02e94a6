# fault: mean_in_elbo, std_from_logvar
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import backend as K

original_dim, intermediate_dim, latent_dim = 784, 64, 2
inputs = keras.Input(shape=(original_dim,))
h = keras.layers.Dense(intermediate_dim, activation="relu")(inputs)
z_mean = keras.layers.Dense(latent_dim)(h)
z_log_var = keras.layers.Dense(latent_dim)(h)


def sampling(args):
    z_mean, z_log_var = args
    epsilon = K.random_normal(shape=(K.shape(z_mean)[0], latent_dim))
    return z_mean + K.exp(z_log_var) * epsilon


z = keras.layers.Lambda(sampling)([z_mean, z_log_var])
latent_inputs = keras.Input(shape=(latent_dim,))
x = keras.layers.Dense(intermediate_dim, activation="relu")(latent_inputs)
decoder = keras.Model(latent_inputs, keras.layers.Dense(original_dim, activation="sigmoid")(x))
outputs = decoder(z)
vae = keras.Model(inputs, outputs)
reconstruction_loss = keras.losses.binary_crossentropy(inputs, outputs) * original_dim
kl_loss = -0.5 * K.mean(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
vae.add_loss(K.mean(reconstruction_loss + kl_loss))
vae.compile(optimizer="adam")
grid = decoder.predict(tf.random.normal((16, latent_dim)))
