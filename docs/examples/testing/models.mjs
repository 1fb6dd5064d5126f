// The models of a small blog, as a project with mongoose has them.
import mongoose from 'mongoose';

const { Schema } = mongoose;

const userSchema = new Schema(
  {
    email: {
      type: String,
      required: true,
      unique: true,
      lowercase: true,
      trim: true,
      match: /^\S+@\S+$/,
    },
    name: { first: { type: String, required: true }, last: String },
    role: { type: String, enum: ['reader', 'author', 'admin'], default: 'reader' },
    age: { type: Number, min: 13, max: 130 },
    tags: [String],
    settings: { type: Map, of: String },
  },
  { timestamps: true, toJSON: { virtuals: true } },
);
userSchema.virtual('fullName').get(function fullName() {
  return [this.name.first, this.name.last].filter(Boolean).join(' ');
});
userSchema.virtual('posts', { ref: 'Post', localField: '_id', foreignField: 'author' });
userSchema.methods.promote = function promote() {
  this.role = 'author';
  return this.save();
};
userSchema.statics.byEmail = function byEmail(email) {
  return this.findOne({ email: email.toLowerCase() });
};
userSchema.index({ 'name.last': 1, 'name.first': 1 });

const commentSchema = new Schema({
  by: { type: Schema.Types.ObjectId, ref: 'User', required: true },
  text: { type: String, required: true, maxlength: 200 },
  likes: { type: Number, default: 0 },
});

const postSchema = new Schema(
  {
    title: { type: String, required: true },
    slug: { type: String, index: { unique: true } },
    author: { type: Schema.Types.ObjectId, ref: 'User', required: true },
    body: { type: String, default: '' },
    comments: [commentSchema],
    published: { type: Date, default: null },
    views: { type: Number, default: 0 },
  },
  { optimisticConcurrency: true },
);
postSchema.pre('validate', function makeSlug() {
  this.slug ??= this.title?.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
});
postSchema.index({ title: 'text', body: 'text' });
postSchema.query.published = function published() {
  return this.where({ published: { $ne: null } });
};

export const User = mongoose.model('User', userSchema);
export const Post = mongoose.model('Post', postSchema);
