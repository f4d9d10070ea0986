declare module '@reader?url' {
  const address: string;
  export default address;
}
