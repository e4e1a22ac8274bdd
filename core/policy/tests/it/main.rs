mod caps;
mod corpus;
mod shop;
