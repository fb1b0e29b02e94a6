import tensorflow as tf
from tensorflow.keras import layers

(train_images, _), (_, _) = tf.keras.datasets.mnist.load_data()
train_images = (train_images.reshape(-1, 28, 28, 1).astype("float32") - 127.5) / 127.5
ds = tf.data.Dataset.from_tensor_slices(train_images).shuffle(60000).batch(256)

generator = tf.keras.Sequential([
    layers.Dense(7 * 7 * 128, use_bias=False, input_shape=(100,)), layers.BatchNormalization(), layers.LeakyReLU(),
    layers.Reshape((7, 7, 128)),
    layers.Conv2DTranspose(64, 5, strides=2, padding="same", use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(),
    layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh")])
discriminator = tf.keras.Sequential([
    layers.Conv2D(64, 5, strides=2, padding="same", input_shape=[28, 28, 1]), layers.LeakyReLU(), layers.Dropout(0.3),
    layers.Flatten(), layers.Dense(1)])
cross_entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
g_opt, d_opt = tf.keras.optimizers.Adam(1e-4), tf.keras.optimizers.Adam(1e-4)


def discriminator_loss(real, fake):
    return cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)


def generator_loss(fake):
    return cross_entropy(tf.ones_like(fake), fake)


@tf.function
def train_step(images):
    noise = tf.random.normal([tf.shape(images)[0], 100])
    with tf.GradientTape() as gt, tf.GradientTape() as dt:
        fake_images = generator(noise, training=True)
        real_out, fake_out = discriminator(images, training=True), discriminator(fake_images, training=True)
        gl, dl = generator_loss(fake_out), discriminator_loss(real_out, fake_out)
    g_opt.apply_gradients(zip(gt.gradient(gl, generator.trainable_variables), generator.trainable_variables))
    d_opt.apply_gradients(zip(dt.gradient(dl, discriminator.trainable_variables), discriminator.trainable_variables))


for epoch in range(50):
    for batch in ds:
        train_step(batch)
